"""A checkpoint in one file is the model of the folder that it was made from, or a line in `plan`."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from skewbench.stability import Vanilla
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.applied import applied
from skewbench.tasks.estimate import estimate
from skewbench.tasks.experiment import GenerationSpec, ModelSpec, RefinerModel
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.generation import LoraSpec
from skewbench.tasks.hub_models import ModelNotHereError
from skewbench.tasks.local import run_locally
from skewbench.tasks.model_size import weight_bytes
from skewbench.tasks.models import check_source, load_pipeline, resolve_model
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.run import prepare
from skewbench.tasks.size import Size
from skewbench.vocabulary.errors import InputError, RunError
from tests.families import replays
from tests.flows.command import run_in_process
from tests.original_layout import save_one_file
from tests.tasks.experiments import small
from tests.tasks.test_lora import _save as save_lora
from tests.tiny import save_tiny_sd

SAMPLES = [Sample("s", "p", Prompt("p", "a red circle"), 0, 7)]


def _two_widths(tiny_sdxl: Path, folder: Path) -> Path:
    """Save a tiny SDXL whose text encoders differ in width, as the real ones do."""
    whole = StableDiffusionXLPipeline.from_pretrained(str(tiny_sdxl))
    config = whole.text_encoder_2.config.to_dict()
    first, second = config["hidden_size"], 2 * config["hidden_size"]
    whole.text_encoder_2 = CLIPTextModelWithProjection(CLIPTextConfig(**{**config, "hidden_size": second})).eval()
    whole.unet = UNet2DConditionModel.from_config({**whole.unet.config, "cross_attention_dim": first + second})
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def models(
    request: pytest.FixtureRequest, tiny_sdxl: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A model as a folder, and as a file."""
    place = tmp_path_factory.mktemp("single")
    torch.manual_seed(0)
    folder = save_tiny_sd(place / "model") if request.param == "sd" else _two_widths(tiny_sdxl, place / "model")
    return folder, save_one_file(
        load_pipeline(resolve_model(ModelSpec(id=str(folder))), "cpu"), place / "x.safetensors"
    )


def _images(spec: ModelSpec, *generations: GenerationSpec) -> np.ndarray:
    pipeline = load_pipeline(resolve_model(spec), "cpu")
    assert {str(one.dtype) for one in (pipeline.unet, pipeline.vae, pipeline.text_encoder)} == {f"torch.{spec.dtype}"}
    made = []
    for generation in generations:
        with applied(pipeline, generation):
            made += list(generate_batch(pipeline, SAMPLES, Vanilla(), generation, Size(32, 32)))
    return np.array(made)


@pytest.fixture
def spec(models: tuple[Path, Path]) -> ModelSpec:
    folder, file = models
    return ModelSpec(id=str(file), config=str(folder))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_images_are_those_of_the_folder(models: tuple[Path, Path], spec: ModelSpec, dtype: Any, tmp_path: Path) -> None:
    """Also with adapters."""
    pytest.importorskip("peft")
    unet = load_pipeline(resolve_model(spec), "cpu").unet
    attention = next(name for name, _ in unet.named_modules() if name.endswith("attn1.to_q"))
    width = unet.get_submodule(attention).in_features
    lora = LoraSpec(path=str(save_lora(tmp_path / "lora.safetensors", f"unet.{attention}", width, width)))
    generations = GenerationSpec(steps=2), GenerationSpec(steps=2, lora=lora)
    plain, adapted = _images(spec.model_copy(update={"dtype": dtype}), *generations)
    assert not np.array_equal(plain, adapted)
    of_folder = _images(ModelSpec(id=str(models[0]), dtype=dtype), *generations)
    np.testing.assert_allclose([plain, adapted], of_folder, atol=1e-6)


def test_the_text_encoder_of_stable_diffusion_2(tmp_path: Path) -> None:
    folder = save_tiny_sd(tmp_path / "model")
    pipeline = load_pipeline(resolve_model(ModelSpec(id=str(folder))), "cpu")
    file = save_one_file(pipeline, tmp_path / "x.safetensors", second_version=True)
    generation = GenerationSpec(steps=2)
    of_file = _images(ModelSpec(id=str(file), config=str(folder)), generation)
    np.testing.assert_allclose(of_file, _images(ModelSpec(id=str(folder)), generation), atol=1e-6)


def test_a_run_ends_with_a_report_and_replays(models: tuple[Path, Path], tmp_path: Path) -> None:
    folder, file = models
    # only the configurations matter
    config = copytree(
        folder, tmp_path / "config", ignore=lambda _folder, names: [n for n in names if "safetensors" in n]
    )
    changes = {"model": {"id": str(file), "config": str(config)}, "seeds": 1, "workers": {"batch": 1}}
    run = prepare(
        small(**changes, metrics=["contrast"], generation={"steps": 2, "width": 32, "height": 32}),
        str(tmp_path / "lake"),
    )
    assert weight_bytes(run.source) == sum(one.numel() * 4 for one in load_file(file).values())
    torch.set_num_threads(1)
    run_locally(run, lambda _outcome: None)
    assert find_run(LocalStore(tmp_path / "lake"), None).status == "committed"
    assert replays(tmp_path, "baseline")
    assert replays(tmp_path, "skew")


def test_contents_of_the_file_and_configurations_decide(models: tuple[Path, Path], tmp_path: Path) -> None:
    config = copytree(models[0], tmp_path / "config")
    weights = load_file(models[1])
    file = tmp_path / "x.safetensors"
    save_file(weights, file)
    spec = ModelSpec(id=str(file), config=str(config))
    source = resolve_model(spec)
    check_source(source)
    (config / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"of another model")
    (config / "unet" / "other.safetensors.index.json").write_text("{}")
    (config / "notes.json").write_text("{}")
    assert resolve_model(spec).revision == source.revision
    scheduler = config / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps({**json.loads(scheduler.read_text()), "beta_end": 0.02}))
    assert resolve_model(spec).revision != source.revision
    with pytest.raises(RunError, match="has a different"):
        check_source(source)
    copytree(models[0], config, dirs_exist_ok=True)
    check_source(source)
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1}, file)
    assert resolve_model(spec).revision != source.revision
    with pytest.raises(RunError, match="has a different"):
        check_source(source)
    file.unlink()
    with pytest.raises(RunError, match=r"x\.safetensors is none"):
        check_source(source)


def _without(prefix: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda weights: {name: one for name, one in weights.items() if not name.startswith(prefix)}


def _narrower(weights: dict[str, Any]) -> dict[str, Any]:
    name = "model.diffusion_model.input_blocks.0.0.weight"
    return {**weights, name: weights[name][:, :3].contiguous()}


DAMAGES = {
    "it has no weights of unet": _without("model.diffusion_model."),
    "it has no weights of vae": _without("first_stage_model."),
    "it has no weights of text_encoder": _without("cond"),
    "1 weights of unet are missing, such as mid_block.resnets.0.conv1.bias": _without(
        "model.diffusion_model.middle_block.0.in_layers.2.bias"
    ),
    "unet.conv_in.weight has shape [16, 3, 3, 3]": _narrower,
}


@pytest.mark.parametrize("message", DAMAGES)
def test_missing_weights_are_named(models: tuple[Path, Path], tmp_path: Path, message: str) -> None:
    """Although the configurations' folder has weights, which diffusers would load in their place."""
    file = tmp_path / "x.safetensors"
    save_file(DAMAGES[message](load_file(models[1])), file)
    with pytest.raises(InputError) as caught:
        resolve_model(ModelSpec(id=str(file), config=str(models[0])))
    assert message in str(caught.value)


def test_weights_of_another_architecture(models: tuple[Path, Path], tmp_path: Path, tiny_sdxl: Path) -> None:
    other = (
        tiny_sdxl
        if "text_encoder_2" not in {one.name for one in models[0].iterdir()}
        else save_tiny_sd(tmp_path / "sd")
    )
    with pytest.raises(InputError, match=r"(missing|shape|no weights).* model.config"):
        resolve_model(ModelSpec(id=str(models[1]), config=str(other)))


BAD = {
    "a pickle, which can run any code when it is loaded": {"id": "x.ckpt"},
    "one file has no configuration; set model.config": {"id": "x.safetensors"},
    "no such file": {"id": "nowhere.safetensors", "config": "shapes-xl"},
    "is not a safetensors file": {"id": "broken.safetensors", "config": "shapes-xl"},
    "model.variant 'fp16' does not apply": {"id": "x.safetensors", "config": "shapes-xl", "variant": "fp16"},
    "model.revision 'main' does not apply": {"id": "x.safetensors", "config": "empty", "revision": "main"},
    "model.config 'folder': no such folder": {"id": "x.safetensors", "config": "folder"},
    "empty/model_index.json has no pipeline class": {"id": "x.safetensors", "config": "empty"},
    "needs model.id to be a .safetensors file": {"id": "shapes-xl", "config": "shapes-xl"},
    "PixArtAlphaPipeline is not loaded from one file": {"id": "x.safetensors", "config": "pixart"},
    "which skewbench does not support": {"id": "x.safetensors", "config": "unknown"},
}


@pytest.mark.parametrize("message", BAD)
def test_plan_refuses_in_one_line(message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"a": torch.zeros(1)}, "x.safetensors")
    Path("broken.safetensors").write_bytes(b"nothing")
    Path("empty").mkdir()
    for name, kind in (("unknown", "OtherPipeline"), ("pixart", "PixArtAlphaPipeline")):
        Path(name).mkdir()
        Path(name, "model_index.json").write_text(json.dumps({"_class_name": kind}))
    Path("e.yaml").write_text(json.dumps({"name": "x", "model": BAD[message], "cells": [
        {"name": "baseline", "knob": {"kind": "vanilla"}}
    ]}))  # fmt: skip
    done = run_in_process(monkeypatch, "plan", "e.yaml", "--lake", "lake")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_configurations_of_a_hub_model_that_is_not_here(models: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelNotHereError, match="hf download owner/name --include"):
        resolve_model(ModelSpec(id=str(models[1]), config="owner/name"))
    expected = estimate(small(model={"id": str(models[1]), "config": "owner/name"}), str(tmp_path / "lake"))
    assert "its configurations (owner/name) are not on this machine" in expected.model


def test_a_refiner_is_no_file() -> None:
    with pytest.raises(InputError, match="a refiner is a hub id or a folder"):
        resolve_model(RefinerModel(id="x.safetensors"))
