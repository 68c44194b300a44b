"""Checkpoints in one file, in the original layout: checks that a file contains all weights of a pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skewbench.tasks.experiment import ModelSpec, RefinerModel
from skewbench.tasks.families.contract import Family
from skewbench.tasks.model_files import empty_part, weighted_parts
from skewbench.tasks.safetensors_file import check_whole
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.user_paths import user_path

_PICKLED = (".ckpt", ".pt", ".pth", ".bin")


def is_single_file(model: str) -> bool:
    """Return whether a model's id has the ending of a file of weights.

    Args:
        model: Id of a model.
    """
    return model.endswith((".safetensors", *_PICKLED))


def check_file(spec: ModelSpec) -> Path:
    """Find a checkpoint's file, and check it by its header.

    Args:
        spec: The model, whose id is the path of a file.

    Returns:
        The file.

    Raises:
        InputError: There is no such file, it is pickled or broken, or a field of the model does not apply to it.
    """
    if isinstance(spec, RefinerModel):
        raise InputError(f"{spec.where}: a refiner is a hub id or a folder, not one file")
    if spec.id.endswith(_PICKLED):
        raise InputError(f"{spec.where}: a pickle, which can run any code when it is loaded; use a .safetensors file")
    if not spec.config:
        raise InputError(
            f"{spec.where}: one file has no configuration; set model.config to a model of its architecture: a folder "
            "in the hub's layout, or a hub id such as stabilityai/stable-diffusion-xl-base-1.0"
        )
    if spec.variant:
        raise InputError(f"{spec.where}: model.variant {spec.variant!r} does not apply to a single file; remove it")
    file = user_path(spec.id, "model.id")
    if not file.is_file():
        raise InputError(f"{spec.where}: no such file")
    check_whole(spec.where, file)
    return file


def check_weights(spec: ModelSpec, file: Path, folder: Path, family: Family) -> None:
    """Check by its header that a file contains the weights of each part. Slow: imports diffusers.

    Args:
        spec: The model.
        file: The checkpoint.
        folder: Of the configurations.
        family: The family of their pipeline class.

    Raises:
        InputError: Weights are missing or of another shape; says which.
    """
    checkpoint = _header(file)
    for part in weighted_parts(folder, family):
        model = empty_part(folder, part)
        wanted, found = model.state_dict(), _converted(model, checkpoint)
        missing = [name for name in wanted if name not in found]
        if len(missing) == len(wanted):
            raise InputError(f"{spec.where}: it has no weights of {part}, which model.config {spec.config!r} names")
        if missing:
            raise InputError(
                f"{spec.where}: {len(missing)} weights of {part} are missing, such as {missing[0]}; it does not fit "
                f"model.config {spec.config!r}"
            )
        for name, tensor in wanted.items():
            if (shape := found[name].shape) != tensor.shape:
                raise InputError(
                    f"{spec.where}: {part}.{name} has shape {list(shape)}, and model.config {spec.config!r} needs "
                    f"{list(tensor.shape)}"
                )


def _header(file: Path) -> dict[str, Any]:
    """The tensors of a file, without memory."""
    import torch
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        return {name: torch.empty(opened.get_slice(name).get_shape(), device="meta") for name in opened.keys()}  # noqa: SIM118


def _converted(model: Any, checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """The weights of a part by diffusers' names; none where diffusers finds none."""
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    known = SINGLE_FILE_LOADABLE_CLASSES.get(type(model).__name__)
    if known is None:
        return _text_encoder(model, checkpoint)
    try:
        found: Mapping[str, Any] = known["checkpoint_mapping_fn"](checkpoint=dict(checkpoint), config=model.config)
    except (KeyError, AttributeError, IndexError):  # a file lacks keys that diffusers looks up
        return {}
    return found


def _text_encoder(model: Any, checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """The weights of a CLIP text encoder. As in diffusers, the width tells SDXL's two apart."""
    from diffusers.loaders.single_file_utils import (
        CHECKPOINT_KEY_NAMES,
        convert_ldm_clip_checkpoint,
        convert_open_clip_checkpoint,
    )

    whole = getattr(model, "text_model", model)
    width = whole.embeddings.position_embedding.weight.shape[-1]

    def has(name: str, any_width: bool = False) -> bool:
        key = CHECKPOINT_KEY_NAMES[name]
        return key in checkpoint and (any_width or checkpoint[key].shape[-1] == width)

    if has("clip", any_width=True) or has("clip_sdxl"):
        found = convert_ldm_clip_checkpoint(checkpoint)
    elif has("open_clip", any_width=True):
        found = convert_open_clip_checkpoint(model, checkpoint, prefix="cond_stage_model.model.")
    elif has("open_clip_sdxl"):
        found = convert_open_clip_checkpoint(model, checkpoint, prefix="conditioner.embedders.1.model.")
    else:
        return {}
    return found if whole is not model else {name.removeprefix("text_model."): one for name, one in found.items()}
