"""Files of LoRA: found, digested, and refused where they do not fit; loaded for one cell and taken away after it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from skewbench.tasks import lora as module
from skewbench.tasks.applied import applied, replay_lines
from skewbench.tasks.experiment import Experiment, ModelSpec
from skewbench.tasks.generation import GenerationSpec, LoraSpec
from skewbench.tasks.identity import run_id
from skewbench.tasks.lora import check_digest, check_fit, with_digests
from skewbench.tasks.models import family_of_source, pipeline_class, resolve_model
from skewbench.tasks.run import prepare
from skewbench.vocabulary.errors import InputError, RunError
from tests.tasks.experiments import BASELINE, small

LAYER = "unet.up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
WIDTH = 64


def _save(path: Path, layer: str = LAYER, inputs: int = WIDTH, outputs: int = WIDTH, form: str = "lora_{}") -> Path:
    names = ("A", "B") if form == "lora_{}" else ("down", "up")
    down, up = (f"{layer}.{form.format(name)}.weight" for name in names)
    save_file({down: torch.ones(2, inputs), up: torch.ones(outputs, 2)}, path)
    return path


def _experiment(path: Path, weight: float = 1.0, **changes: Any) -> Experiment:
    cells = [
        BASELINE,
        {"name": "a", "knob": {"kind": "vanilla"}, "generation": {"lora": {"path": str(path), "weight": weight}}},
    ]
    return small(cells=cells, **changes)


def _id(experiment: Experiment) -> str:
    return run_id(with_digests(experiment), [], "revision", "source")


def test_the_contents_decide_the_run_and_not_the_place(tmp_path: Path) -> None:
    first, other = tmp_path / "first", tmp_path / "other"
    for folder in (first, other):
        folder.mkdir()
        _save(folder / "x.safetensors")
    known = _id(_experiment(first / "x.safetensors"))
    assert known == _id(_experiment(first)) == _id(_experiment(other / "x.safetensors"))
    assert known != _id(_experiment(first, weight=0.5))
    _save(other / "x.safetensors", outputs=WIDTH + 1)
    assert known != _id(_experiment(other))


def test_a_file_that_is_not_what_it_should_be_is_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.safetensors")
    lora = with_digests(_experiment(path)).cells[1].generation.lora
    assert lora is not None
    assert lora.path == path.as_posix()
    assert check_digest(lora) == path
    _save(tmp_path / "y.safetensors", inputs=3)
    with pytest.raises(InputError, match=r"a folder must contain one \.safetensors file, but has x\.safetensors, y"):
        with_digests(_experiment(tmp_path))
    with pytest.raises(InputError, match=r"not a \.safetensors file, nor a folder that contains one"):
        with_digests(_experiment(tmp_path / "x.bin"))
    path.write_bytes((tmp_path / "y.safetensors").read_bytes())
    with pytest.raises(RunError, match=f"has different adapters than the driver: .* the driver's {lora.digest}"):
        check_digest(lora)
    changed = {"path": str(path), "digest": lora.digest}
    cells = [{**BASELINE, "generation": {"lora": changed}}]
    with pytest.raises(InputError, match=rf"cells.baseline.generation.lora.digest '{lora.digest}': the digest of"):
        with_digests(small(cells=cells))


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ({}, ""),
        ({"form": "lora.{}"}, ""),
        ({"layer": LAYER.replace("attn1.to_q", "attn1.processor.to_q_lora"), "form": "{}"}, ""),
        ({"layer": "text_encoder.encoder.layers.0.self_attn.q_proj", "form": "lora_linear_layer.{}"}, ""),
        (
            {"layer": LAYER.replace("up_blocks.0", "up_blocks.9")},
            "this model's unet has no layer up_blocks.9",
        ),
        ({"inputs": 32}, "attn1.to_q has 64 inputs, the adapters are for 32"),
        ({"outputs": 128}, "attn1.to_q has 64 outputs, the adapters are for 128"),
        (
            {"layer": "transformer.blocks.0.to_q"},
            "matches no part of this model; adapters can be for unet, text_encoder",
        ),
    ],
)
def test_adapters_fit_a_model_or_are_refused(
    tiny_sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _package: True)
    path = _save(tmp_path / "x.safetensors", **saved)
    source = resolve_model(ModelSpec(id=str(tiny_sdxl)))
    given = (LoraSpec(path=str(path)), family_of_source(source), pipeline_class(source), source.folder)
    if said:
        with pytest.raises(ValueError, match=said):
            check_fit(*given)
    else:
        check_fit(*given)


def test_a_missing_package_is_named_before_anything_is_loaded(
    tiny_sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _package: None)
    path = _save(tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"LoRA needs the package peft: pip install 'skewbench\[lora\]'"):
        prepare(_experiment(path, model={"id": str(tiny_sdxl)}), str(tmp_path / "lake"))


class StableDiffusionXLPipeline:
    """Notes what is loaded into it."""

    def __init__(self) -> None:
        self.scheduler, self.done = object(), list[Any]()

    def load_lora_weights(self, *places: str, **given: str) -> None:
        self.done.append((*places, given))

    def set_adapters(self, *given: Any) -> None:
        self.done.append(given)

    def encode_prompt(self) -> None: ...

    def unload_lora_weights(self) -> None:
        self.done.append("unloaded")


def test_adapters_are_a_cells_own(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.safetensors")
    generation = GenerationSpec(lora=LoraSpec(path=str(path), weight=0.5))
    pipeline = StableDiffusionXLPipeline()
    with pytest.raises(ZeroDivisionError), applied(pipeline, generation):
        _ = 1 / (len(pipeline.done) - 2)
    loaded = (str(tmp_path), {"weight_name": "x.safetensors", "adapter_name": "lora"})
    assert pipeline.done == [loaded, (["lora"], [0.5]), "unloaded"]
    replayed = StableDiffusionXLPipeline()
    exec(replay_lines(generation, 7), {"pipeline": replayed})
    assert replayed.done == pipeline.done[:2]


def test_a_lora_changes_the_image_of_its_cell_alone(tiny_sdxl: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    import numpy as np

    from skewbench.tasks.generate import generate_batch
    from skewbench.tasks.models import load_pipeline

    run = prepare(_experiment(_save(tmp_path / "x.safetensors"), model={"id": str(tiny_sdxl)}), str(tmp_path / "lake"))
    pipeline = load_pipeline(run.source, "cpu")
    images = []
    for cell in (*run.experiment.cells, run.experiment.cells[0]):
        generation = run.experiment.generation_of(cell)
        with applied(pipeline, generation):
            images.append(generate_batch(pipeline, run.shards[0].samples[:1], cell.knob, generation, run.setting.size))
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])
