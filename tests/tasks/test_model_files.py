"""Folders of models that would fail when they are loaded: each is a line in `plan`, and nothing is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.models import check_model, check_source, resolve_model, sample_size
from skewbench.tasks.size import Size
from skewbench.vocabulary.errors import InputError, RunError
from tests.flows.command import run_in_process, write_experiment

UNET = "unet/diffusion_pytorch_model.safetensors"


def _pickled(folder: Path) -> None:
    (folder / UNET).rename(folder / "unet/diffusion_pytorch_model.bin")


def _without_weights(folder: Path) -> None:
    (folder / UNET).unlink()


def _pointer(folder: Path) -> None:
    (folder / UNET).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")


def _half(folder: Path) -> None:
    (folder / UNET).rename(folder / "unet/diffusion_pytorch_model.fp16.safetensors")


def _without_vae(folder: Path) -> None:
    shutil.rmtree(folder / "vae")


def _without_shard(folder: Path) -> None:
    whole, first = folder / UNET, "diffusion_pytorch_model-00001-of-00002.safetensors"
    whole.rename(folder / "unet" / first)
    shards = {"a": first, "b": first.replace("00001-of", "00002-of")}
    (folder / f"{UNET}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))


def _without_length(folder: Path) -> None:
    path = folder / "tokenizer_2/tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "model_max_length": 10**30}))


def _truncated(folder: Path) -> None:
    with (folder / UNET).open("r+b") as file:
        file.truncate((folder / UNET).stat().st_size - 1)


def _cut_in_its_header(folder: Path) -> None:
    (folder / UNET).write_bytes((folder / UNET).read_bytes()[:100])


def _without_scheduler(folder: Path) -> None:
    shutil.rmtree(folder / "scheduler")


def _without_a_named_scheduler(folder: Path) -> None:
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps({**index, "scheduler": [None, None]}))


def _with_a_broken_scheduler(folder: Path) -> None:
    (folder / "scheduler/scheduler_config.json").write_text("{")


def _with_a_broken_index(folder: Path) -> None:
    _without_shard(folder)
    (folder / f"{UNET}.index.json").write_text("[]")


def _sample_size(folder: Path, value: object = None) -> None:
    path = folder / "unet/config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "sample_size": value}))


def _with_an_odd_sample_size(folder: Path) -> None:
    _sample_size(folder, ["8", "8"])


@pytest.fixture
def folder(tiny_sdxl: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_sdxl, tmp_path / "model"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_pickled, "unet has only diffusion_pytorch_model.bin, a pickle, which can run any code when it is loaded"),
        (_without_weights, "unet has no weights (*.safetensors) in "),
        (_pointer, "unet: diffusion_pytorch_model.safetensors is a Git LFS pointer, not the weights; run `git lfs"),
        (_half, "unet has weights of the variant 'fp16' only; set model.variant"),
        (_without_vae, "vae missing; "),
        (_without_shard, "unet: diffusion_pytorch_model-00002-of-00002.safetensors is missing, which "),
        (_truncated, "unet: diffusion_pytorch_model.safetensors is truncated: "),
        (
            _cut_in_its_header,
            "unet: diffusion_pytorch_model.safetensors is not a safetensors file, or its header is truncated",
        ),
        (_without_scheduler, "scheduler missing; "),
        (_without_a_named_scheduler, "scheduler missing; "),
        (_with_a_broken_scheduler, "scheduler/scheduler_config.json cannot be read: "),
        (_with_a_broken_index, "unet: diffusion_pytorch_model.safetensors.index.json cannot be read: "),
        (_sample_size, "unet/config.json has no sample_size; set generation.width and generation.height"),
        (_with_an_odd_sample_size, "unet/config.json has sample_size ['8', '8'], not a number or [height, width]; set"),
        (_without_length, "tokenizer_2/tokenizer_config.json has no model_max_length (1000"),
    ],
)
def test_plan_refuses_it(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    message: str,
) -> None:
    spoil(folder)
    experiment = write_experiment(tmp_path, model={"id": str(folder)})
    done = run_in_process(monkeypatch, "plan", experiment)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"error: model.id {str(folder)!r}: ")
    assert message in line


def test_sizes_of_samples(folder: Path) -> None:
    """A list is height and width; without any, the experiment's size counts."""
    _sample_size(folder, [4, 16])
    assert sample_size(resolve_model(ModelSpec(id=str(folder))), GenerationSpec()) == Size(32, 8)
    _sample_size(folder)
    chosen = GenerationSpec(width=64, height=32)
    assert sample_size(resolve_model(ModelSpec(id=str(folder))), chosen) == Size(64, 32)


def test_a_variant_that_no_part_has(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no part has weights of the variant 'fp16'; remove model\.variant"):
        check_model(ModelSpec(id=str(folder), variant="fp16"))


def test_a_variant_that_one_part_has(folder: Path) -> None:
    """diffusers loads the others without it."""
    _half(folder)
    assert check_model(ModelSpec(id=str(folder), variant="fp16")) == folder


def test_whole_folders_of_shards(folder: Path) -> None:
    _without_shard(folder)
    shutil.copy(*(folder / "unet" / f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)))
    assert check_model(ModelSpec(id=str(folder))) == folder
    (folder / f"{UNET}.index.json").rename(folder / "unet/diffusion_pytorch_model.safetensors.index.fp16.json")
    (folder / "unet/diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    assert check_model(ModelSpec(id=str(folder))) == folder  # an index of another variant


def _revision(folder: Path, **fields: str) -> str:
    return resolve_model(ModelSpec(id=str(folder), **fields)).revision


def test_linked_parts_decide_like_others(folder: Path, tmp_path: Path) -> None:
    """Also for a worker, which compares its files with the driver's."""
    plain = _revision(folder)
    (tmp_path / "parts").mkdir()
    for part in ("unet", "vae"):
        (folder / part).rename(tmp_path / "parts" / part)
        (folder / part).symlink_to(tmp_path / "parts" / part)
    source = resolve_model(ModelSpec(id=str(folder)))
    assert source.revision == plain
    check_source(source)
    other = Path(shutil.copytree(tmp_path / "parts/unet", tmp_path / "other"))
    with (other / "diffusion_pytorch_model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\1")
    (folder / "unet").unlink()
    (folder / "unet").symlink_to(other)
    assert _revision(folder) != plain
    with pytest.raises(RunError, match=f"than the driver: .*, the driver's {plain}"):
        check_source(source)


def test_stray_files_decide_nothing(folder: Path) -> None:
    plain = _revision(folder)
    for name in ("notes.txt", "unet/notes.txt", "README.json", "unet/diffusion_pytorch_model.fp16.safetensors"):
        (folder / name).write_text("mine")
    shutil.copytree(folder / "unet", folder / "unet_before")
    (folder / "loop").symlink_to(folder)
    assert _revision(folder) == plain
    (folder / "unet/diffusion_pytorch_model.fp16.safetensors").unlink()
    _half(folder)
    shutil.copy(folder / "unet/diffusion_pytorch_model.fp16.safetensors", folder / UNET)
    assert _revision(folder) == plain
    assert _revision(folder, variant="fp16") != plain
    (folder / "tokenizer/merges.txt").write_text("a b")
    assert _revision(folder) != plain
