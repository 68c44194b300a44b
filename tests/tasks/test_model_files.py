"""Folders of models that would fail when they are loaded: each is a line in `plan`, and nothing is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.models import check_model
from skewbench.vocabulary.errors import InputError
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
        (_without_vae, "vae is missing; "),
        (_without_shard, "unet: diffusion_pytorch_model-00002-of-00002.safetensors is missing, which "),
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


def test_a_variant_that_no_part_has(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no part has weights of the variant 'fp16'; leave model\.variant out"):
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
