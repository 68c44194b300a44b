"""Models of the Hugging Face hub: whether their files are in its cache, and their download."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.single_file import is_single_file
from skewbench.vocabulary.errors import InputError

CONFIGURATIONS = ("*.json", "*.txt", "*.model")
"""Files of a model that are no weights."""


class ModelNotHereError(InputError):
    """The files of a hub model are not on this machine and were not downloaded."""


def is_hub_id(model: str) -> bool:
    """Return whether a model's id has the form of a hub id, `owner/name`.

    Args:
        model: Id of a model.
    """
    return model.count("/") == 1 and not model.startswith((".", "/", "~")) and not is_single_file(model)


def hub_snapshot(spec: ModelSpec, download: bool, left_out: Callable[[Path], Iterable[str]]) -> Path:
    """Find the folder of a hub model's files in the cache.

    Args:
        spec: The model.
        download: Whether they are downloaded, unless `HF_HUB_OFFLINE` is set.
        left_out: Returns the parts that are not loaded, from the folder of the model's index.

    Raises:
        ModelNotHereError: They are not there, or cannot be downloaded.
    """
    from huggingface_hub import snapshot_download

    offline = _is_offline(download)
    with _explained(spec.where, f"hf download {spec.id}", offline):
        if offline:
            return Path(snapshot_download(spec.id, revision=spec.revision, local_files_only=True))
        return _fetch(spec, left_out)


def hub_configurations(spec: ModelSpec, download: bool) -> Path:
    """Find the folder of a hub model's configurations and tokenizers in the cache.

    Args:
        spec: The model, whose `config` is a hub id.
        download: Whether they are downloaded, unless `HF_HUB_OFFLINE` is set.

    Raises:
        ModelNotHereError: They are not there, or cannot be downloaded.
    """
    from huggingface_hub import snapshot_download

    config, offline = str(spec.config), _is_offline(download)
    named = " ".join(f'"{pattern}"' for pattern in CONFIGURATIONS)
    with _explained(f"model.config {config!r}", f"hf download {config} --include {named}", offline):
        found = snapshot_download(
            config, revision=spec.revision, local_files_only=offline, allow_patterns=list(CONFIGURATIONS)
        )
    return Path(found)


def _is_offline(download: bool) -> bool:
    return not download or os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"}


@contextmanager
def _explained(where: str, command: str, offline: bool) -> Iterator[None]:
    """Raise `ModelNotHereError` with advice if the block finds no files, or no safetensors among them."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        why = "not on this machine" if offline else f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ModelNotHereError(f"{where}: {why}; download it with `{command}`, or use a local folder") from None


def _fetch(spec: ModelSpec, left_out: Callable[[Path], Iterable[str]]) -> Path:
    """Download only the files of a hub model that diffusers loads, after a check of its pipeline class.

    diffusers chooses the files: those of the variant, or without one for a part that does not have it, shards included.
    """
    from huggingface_hub import hf_hub_download

    index = Path(hf_hub_download(spec.id, "model_index.json", revision=spec.revision))
    without = dict.fromkeys(left_out(index.parent))
    define_missing_operators()
    from diffusers import DiffusionPipeline

    # the index's commit, not its branch, which may move meanwhile
    return Path(
        DiffusionPipeline.download(
            spec.id, revision=index.parent.name, variant=spec.variant, use_safetensors=True, **without
        )
    )
