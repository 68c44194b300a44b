"""Which files of a hub model are downloaded: diffusers' own choice, without a network."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from diffusers.pipelines import pipeline_utils
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils import filter_repo_objects

from skewbench.tasks import models
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.hub_models import ModelNotHereError
from skewbench.vocabulary.errors import InputError

COMMIT = "0123456789012345678901234567890123456789"
PARTS = {
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
}
CONFIGS = ["scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt", "unet/config.json"]
UNET = "unet/diffusion_pytorch_model"


class Hub:
    """A repository of empty files, and those that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files, self.fetched = folder / COMMIT, [*CONFIGS], set[str]()
        self.index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1", **PARTS}

    def download(self, name: str, file: str, **_: Any) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / file).write_text(json.dumps(self.index))
        return str(self.folder / file)

    def snapshot(self, name: str, allow_patterns: Any, ignore_patterns: Any, **_: Any) -> str:
        files: Iterable[str] = ["README.md", "model_index.json", *self.files]
        self.fetched = {*filter_repo_objects(files, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)}
        return str(self.folder)

    def info(self, name: str, **_: Any) -> Any:
        files = ["model_index.json", *self.files]
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=file) for file in files])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", made.download)
    for name, fake in (
        ("hf_hub_download", made.download),
        ("snapshot_download", made.snapshot),
        ("model_info", made.info),
    ):
        monkeypatch.setattr(pipeline_utils, name, fake)
    monkeypatch.setattr(pipeline_utils, "_resolve_revision", lambda name, revision, **_: revision)
    return made


def _weights(hub: Hub, *files: str, variant: str | None = None) -> set[str]:
    """The weights that are downloaded of these."""
    hub.files += files
    assert models._snapshot(ModelSpec(id="someone/model", variant=variant), download=True) == hub.folder
    assert {*CONFIGS} <= hub.fetched
    return {file for file in hub.fetched if "safetensors" in file or ".bin" in file}


BOTH = [f"{UNET}.safetensors", f"{UNET}.fp16.safetensors", f"{UNET}.fp16.bin"]
ONE = ["vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
SHARDS = [f"{UNET}.fp16-0000{n}-of-00002.safetensors" for n in (1, 2)] + [f"{UNET}.safetensors.index.fp16.json"]


def test_parts_without_the_variant_are_fetched_without_it(hub: Hub) -> None:
    assert _weights(hub, *BOTH, *ONE, variant="fp16") == {f"{UNET}.fp16.safetensors", *ONE}


def test_shards_of_the_variant_are_fetched(hub: Hub) -> None:
    assert _weights(hub, f"{UNET}.safetensors", *SHARDS, *ONE, variant="fp16") == {*SHARDS, *ONE}


def test_one_precision_is_fetched_without_a_variant(hub: Hub) -> None:
    assert _weights(hub, *BOTH, *SHARDS, *ONE) == {f"{UNET}.safetensors", *ONE}


def test_what_the_family_leaves_out_is_not_fetched(hub: Hub) -> None:
    assert _weights(hub, f"{UNET}.safetensors", *ONE, "safety_checker/model.safetensors") == {
        f"{UNET}.safetensors",
        *ONE,
    }


def test_other_classes_and_pickles_are_refused_before_weights_are_fetched(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelNotHereError, match="Could not find the necessary `safetensors` weights"):
        _weights(hub, f"{UNET}.bin")
    hub.index["_class_name"] = "MusicLDMPipeline"
    with pytest.raises(InputError, match="its pipeline class is 'MusicLDMPipeline'"):
        _weights(hub, *ONE)
    assert hub.fetched == set()

    def gone(*_: Any, **__: Any) -> str:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", gone)
    with pytest.raises(ModelNotHereError, match="LocalEntryNotFoundError: no network; download it with `hf download"):
        _weights(hub)
