"""Files of low-rank adapters: finds them, digests them, and checks that they fit a model."""

import re
import socket
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from skewbench.tasks.experiment import Experiment
from skewbench.tasks.families.contract import Family
from skewbench.tasks.generation import LoraSpec
from skewbench.tasks.model_files import empty_part
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.user_paths import user_path

_DOWN = re.compile(r"\.(?:lora_A|lora_down|lora\.down|lora_linear_layer\.down)(?:\.\w+)?\.weight$")
_UP = re.compile(r"\.(?:lora_B|lora_up|lora\.up|lora_linear_layer\.up)(?:\.\w+)?\.weight$")
_SCALE = re.compile(r"\.(?:alpha|dora_scale|lora_magnitude_vector(?:\.\w+)?(?:\.weight)?)$")


def with_digests(experiment: Experiment) -> Experiment:
    """Return an experiment whose adapters have an absolute path and the digest of their file.

    Args:
        experiment: The experiment, as a person wrote it.

    Raises:
        InputError: A file does not exist, or its digest differs from the experiment's.
    """

    def resolved(settings: Any, where: str) -> Any:
        lora = settings.lora and _resolved(settings.lora, f"{where}.lora")
        return settings.model_copy(update={"lora": lora})

    cells = tuple(
        cell.model_copy(update={"generation": resolved(cell.generation, f"cells.{cell.name}.generation")})
        for cell in experiment.cells
    )
    return experiment.model_copy(update={"cells": cells, "generation": resolved(experiment.generation, "generation")})


def _resolved(lora: LoraSpec, where: str) -> LoraSpec:
    path = _file(lora, where)
    digest = _digest(path)
    if lora.digest not in (None, digest):
        raise InputError(f"{where}.digest {lora.digest!r}: the digest of {path} is {digest!r}")
    return lora.model_copy(update={"path": path.as_posix(), "digest": digest})


def _file(lora: LoraSpec, where: str) -> Path:
    path = user_path(lora.path, f"{where}.path").absolute()
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise InputError(f"{where}.path {lora.path!r}: a folder must contain one .safetensors file, but has {names}")
    if files[0].suffix != ".safetensors":
        raise InputError(f"{where}.path {lora.path!r}: not a .safetensors file, nor a folder that contains one")
    if not files[0].is_file():
        raise InputError(f"{where}.path {lora.path!r}: no such file")
    return files[0]


def check_digest(lora: LoraSpec) -> Path:
    """Return the file of adapters on this machine.

    Args:
        lora: The adapters, with the digest of the driver's file.

    Raises:
        RunError: The file is missing, or differs from the driver's.
    """
    path = Path(lora.path)
    found = _digest(path) if path.is_file() else "none"
    if lora.digest not in (None, found):
        raise RunError(
            f"{socket.gethostname()} has different adapters than the driver: the digest of {path} is {found}, the "
            f"driver's {lora.digest}"
        )
    return path


def _digest(path: Path) -> str:
    state = path.stat()
    return _digest_of_state(path, state.st_mtime_ns, state.st_size)


@cache
def _digest_of_state(path: Path, _modified: int, _size: int) -> str:
    whole = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            whole.update(block)
    return whole.hexdigest()[:16]


def check_fit(lora: LoraSpec, family: Family, pipeline: str, folder: Path) -> None:
    """Check that a model has the layers that adapters are for. Slow: imports diffusers and reads the adapters.

    Args:
        lora: The adapters, with an absolute path.
        family: The family of the model.
        pipeline: Its pipeline class.
        folder: The model's folder; only configurations are read.

    Raises:
        ValueError: They do not fit. The message names the layer.
    """
    if find_spec("peft") is None:
        raise ValueError("LoRA needs the package peft: pip install 'skewbench[lora]'")
    path = Path(lora.path)
    parts: dict[str, Any] = {family.denoiser: empty_part(folder, family.denoiser)}
    adapters = _read(path, pipeline, parts[family.denoiser])
    known = [name for name in family.parts if name == family.denoiser or name.startswith("text_encoder")]
    fitting = 0
    for key, adapter in adapters.items():
        part, _, rest = key.partition(".")
        if _SCALE.search(rest):
            continue
        down, up = _DOWN.search(rest), _UP.search(rest)
        if part not in known or not (down or up):
            raise ValueError(
                f"{path.name}: {key} matches no part of this model; adapters can be for {', '.join(known)}"
            )
        if part not in parts:
            parts[part] = empty_part(folder, part)
        layer = (down or up).string[: (down or up).start()]  # type: ignore[union-attr]
        _check_layer(path.name, parts[part], part, layer, adapter.shape, bool(down))
        fitting += 1
    if not fitting:
        raise ValueError(f"{path.name} has no adapters that diffusers supports")


def _read(path: Path, pipeline: str, denoiser: Any) -> Mapping[str, Any]:
    """Read the adapters by name, in diffusers' layout, from the layout of any tool."""
    import diffusers
    from diffusers.utils import convert_unet_state_dict_to_peft
    from safetensors import SafetensorError

    kind = getattr(diffusers, pipeline)
    options = {"unet_config": denoiser.config} if "UNet" in type(denoiser).__name__ else {}
    try:
        found = kind.lora_state_dict(str(path.parent), weight_name=path.name, local_files_only=True, **options)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path.name} cannot be read as LoRA: {type(error).__name__}: {reason}") from None
    adapters: Mapping[str, Any] = found[0] if isinstance(found, tuple) else found
    return convert_unet_state_dict_to_peft(adapters) if any(".processor." in key for key in adapters) else adapters


def _check_layer(file: str, model: Any, part: str, layer: str, shape: tuple[int, ...], down: bool) -> None:
    try:
        weight = model.get_submodule(layer).weight
    except AttributeError:
        raise ValueError(f"{file} does not fit: this model's {part} has no layer {layer}") from None
    wanted, found = (weight.shape[1], shape[1]) if down else (weight.shape[0], shape[0])
    if wanted != found:
        side = "inputs" if down else "outputs"
        raise ValueError(f"{file} does not fit: {part}.{layer} has {wanted} {side}, the adapters are for {found}")
