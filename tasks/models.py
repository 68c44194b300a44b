"""Models by name, hub id or local folder, through diffusers' own loaders: safetensors only, no watermark."""

import json
import socket
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.tasks.experiment import ModelSpec, RefinerModel
from skewbench.tasks.families.contract import Family
from skewbench.tasks.families.registry import families
from skewbench.tasks.families.sdxl_refiner import SdxlRefiner
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.hub_models import hub_configurations, hub_snapshot, is_hub_id
from skewbench.tasks.model_files import check_files, config_files, deciding_files, digest_of_files
from skewbench.tasks.single_file import check_file, check_weights, is_single_file
from skewbench.tasks.size import CHOSEN, Size
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.user_paths import user_path

BUNDLED_MODELS = Path(__file__).parent / "bundled"
CAPTIONS: dict[str, Literal["scenes", "sounds"]] = {
    "shapes-xl": "scenes",
    "shapes-mmdit": "scenes",
    "shapes-pixel": "scenes",
    "sounds": "sounds",
}
"""The models that come with the package, and the source of the prompts that each was trained on."""
BUNDLED = {name: BUNDLED_MODELS / name.replace("-", "_") / "weights" for name in CAPTIONS}
"""Their folders, in the layout of a hub repository."""


@dataclass(frozen=True)
class ModelSource:
    """A model that was found on this machine. `revision` is a hub commit, or a digest of local files.

    `folder` holds the configurations, and the weights unless these are in one `file`.
    """

    spec: ModelSpec
    folder: Path
    revision: str
    file: Path | None = None


def resolve_model(spec: ModelSpec, download: bool = False) -> ModelSource:
    """Find a model's files and check that skewbench runs its pipeline class; no weights are loaded.

    Args:
        spec: The model of an experiment.
        download: Whether the weights of a hub model are fetched.

    Returns:
        The model's folder and revision.

    Raises:
        ModelNotHereError: A hub model whose files are not on this machine.
        InputError: No such model, one of another pipeline class, or a file without some of its weights.
    """
    if is_single_file(spec.id):
        return _resolve_file(spec, download)
    if folder := check_model(spec):
        return ModelSource(spec, folder.absolute(), _digest(spec, folder, None))
    snapshot = _snapshot(spec, download)
    family = _family(spec, snapshot)
    if download:
        check_files(spec, snapshot, family)
    return ModelSource(spec, snapshot, snapshot.name)  # the hub's cache names snapshots by commit


def _resolve_file(spec: ModelSpec, download: bool) -> ModelSource:
    """Find a checkpoint in one file, and check it against the configurations that the model names."""
    file, folder = check_file(spec).absolute(), _config_folder(spec, download).absolute()
    family = _family(spec, folder)
    if not family.single_file:
        raise InputError(f"{spec.where}: {family.pipelines[0]} is not loaded from one file; use a folder or a hub id")
    check_files(spec, folder, family, weights=False)
    check_weights(spec, file, folder, family)
    return ModelSource(spec, folder, _digest(spec, folder, file), file)


def check_model(spec: ModelSpec) -> Path | None:
    """Find the folder of a bundled or local model and check its pipeline class. Reads no weights.

    Args:
        spec: The model.

    Returns:
        The folder; None for a hub model, of which nothing is checked, and for one file, of which the header is.

    Raises:
        InputError: No such model, or one of a class that no family runs: its folder may load as another class, and fail
            at each image.
    """
    if is_single_file(spec.id):
        check_file(spec)
        return None
    if spec.config:
        raise InputError(f"model.config {spec.config!r} needs model.id to be a .safetensors file, not {spec.id!r}")
    folder = BUNDLED.get(spec.id) or user_path(spec.id, f"{spec.field}.id")
    if (folder / "model_index.json").is_file():
        check_files(spec, folder, _family(spec, folder))
        return folder
    if spec.id in BUNDLED:
        raise InputError(f"{spec.where}: its weights are missing in this installation ({folder})")
    if folder.is_dir():
        raise InputError(f"{spec.where}: not a diffusers model: this folder has no model_index.json")
    if not is_hub_id(spec.id):
        raise InputError(f"{spec.where}: not a model; use {', '.join(BUNDLED)}, a hub id (owner/name) or a folder")
    return None


def model_address(model: str) -> str:
    """Return the hub id of a model, or the path of its folder, for diffusers.

    Args:
        model: A hub id, the name of a bundled model, or a folder.
    """
    return model if is_hub_id(model) else str(BUNDLED.get(model) or user_path(model, "model.id"))


def check_source(source: ModelSource) -> None:
    """Check that this machine has the driver's files of a model.

    The files of a hub model are downloaded: its folder is named by its commit.

    Args:
        source: The model, as the driver found it.

    Raises:
        RunError: The files are missing, or differ from the driver's.
    """
    if source.folder.name == source.revision:
        return
    folder = BUNDLED.get(source.spec.id, source.folder)
    there = folder.is_dir() and (source.file is None or source.file.is_file())
    found = _digest(source.spec, folder, source.file) if there else "none"
    if found != source.revision:
        raise RunError(
            f"{socket.gethostname()} has a different {source.spec.id} than the driver: the digest of its files in "
            f"{source.file or folder} is {found}, the driver's {source.revision}"
        )


def load_pipeline(source: ModelSource, device: str) -> Any:
    """Load the pipeline onto a device, without progress bars. Slow: imports diffusers and reads weights.

    Args:
        source: The model.
        device: Name of a torch device.
    """
    import torch

    define_missing_operators()
    from diffusers.utils.logging import disable_progress_bar as disable_bars_of_diffusers
    from transformers.utils.logging import disable_progress_bar as disable_bars_of_transformers

    disable_bars_of_diffusers()
    disable_bars_of_transformers()
    folder = _folder_here(source)
    family, dtype = _family(source.spec, folder), getattr(torch, source.spec.dtype)
    if source.file:
        pipeline = family.load_file(source.file, folder, dtype)
    else:
        pipeline = family.load(folder, dtype, source.spec.variant)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _folder_here(source: ModelSource) -> Path:
    """Return the model's folder on this machine. A cluster's node downloads a hub model at the driver's revision."""
    folder = BUNDLED.get(source.spec.id, source.folder)
    if folder.is_dir() or not is_hub_id(source.spec.id):
        return folder
    return _snapshot(source.spec.model_copy(update={"revision": source.revision}), download=True)


def sample_size(source: ModelSource, generation: GenerationSpec) -> Size:
    """Return the size of samples: the experiment's choices, and the model's native size for the rest.

    Args:
        source: The model.
        generation: Generation settings of the run.

    Raises:
        InputError: A field that samples of the model's medium do not have, a size that the model cannot generate, or a
            configuration that does not say the native size where that is needed.
    """
    family, config = family_of_source(source), partial(part_config, source)
    chosen = generation.model_dump(include=set(CHOSEN), exclude_none=True)
    try:
        native = family.native_size(config)
    except InputError as error:
        if family.medium != "image" or not {"width", "height"} <= chosen.keys():
            raise InputError(f"{source.spec.where}: {error}") from None
        native = Size(chosen["width"], chosen["height"])
    for name in chosen:
        if name not in native.chosen:
            raise InputError(
                f"generation.{name} does not apply: {source.spec.id!r} generates {family.medium}, whose size is "
                f"{', '.join(native.chosen)}"
            )
    size = replace(native, **chosen)
    if fault := family.size_fault(config, size):
        raise InputError(f"generation.{fault} ({source.spec.id!r})")
    return size


def family_of_source(source: ModelSource) -> Family:
    """Return the family that runs a model.

    Args:
        source: The model.

    Raises:
        InputError: No family runs its pipeline class.
    """
    return _family(source.spec, source.folder)


def pipeline_class(source: ModelSource) -> str:
    """Read the pipeline class from the model's index.

    Args:
        source: The model.

    Raises:
        InputError: The index names no class.
    """
    return _pipeline_class(source.spec, source.folder)


def _pipeline_class(spec: ModelSpec, folder: Path) -> str:
    path = folder / "model_index.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{spec.where}: {path} has no pipeline class ({type(error).__name__})") from None


def _family(spec: ModelSpec, folder: Path) -> Family:
    found = _pipeline_class(spec, folder)
    if isinstance(spec, RefinerModel):
        if found not in SdxlRefiner.pipelines:
            raise InputError(
                f"{spec.where}: its pipeline class is {found!r}; a refiner is a {SdxlRefiner.pipelines[0]}, such as "
                f"{SdxlRefiner.example}"
            )
        return SdxlRefiner()
    if found not in families.names():
        examples = ", ".join(dict.fromkeys(family.example for family in families.items()))
        raise InputError(
            f"{spec.where}: its pipeline class is {found!r}, which skewbench does not support; supported classes: "
            f"{', '.join(families.names())}. Use a model such as {examples}"
        )
    return families.get(found)


def part_config(source: ModelSource, part: str, file: str = "config.json") -> dict[str, Any]:
    """Read the configuration of a part of a model.

    Args:
        source: The model.
        part: Folder of the part, such as `unet`.
        file: Name of its configuration.

    Raises:
        InputError: It cannot be read.
    """
    path = source.folder / part / file
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise InputError(f"{source.spec.where}: {path} cannot be read: {error}") from None


def _snapshot(spec: ModelSpec, download: bool) -> Path:
    """Find a hub model's folder. A download begins with a look at its pipeline class."""
    return hub_snapshot(spec, download, lambda folder: _family(spec, folder).left_out(folder))


def _config_folder(spec: ModelSpec, download: bool) -> Path:
    """Find the folder of the configurations of one file."""
    config = str(spec.config)
    folder = BUNDLED.get(config) or user_path(config, "model.config")
    if folder.is_dir():
        if spec.revision:
            raise InputError(f"model.revision {spec.revision!r} does not apply: model.config {config!r} is a folder")
        return folder
    if not is_hub_id(config):
        raise InputError(f"model.config {config!r}: no such folder; use a folder in the hub's layout, or a hub id")
    return hub_configurations(spec, download)


def _digest(spec: ModelSpec, folder: Path, file: Path | None) -> str:
    """Digest the files that affect a model's output. Weights beside the configurations of a single file do not."""
    family = _family(spec, folder)
    files = [*config_files(folder, family), file] if file else deciding_files(spec, folder, family)
    return digest_of_files(folder, files)
