"""Whether a model's folder holds what its family loads, found from names and first bytes; no weights are read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.families.contract import Family
from skewbench.vocabulary.errors import InputError

_WITHOUT_WEIGHTS = ("Tokenizer", "TokenizerFast", "Scheduler", "Processor", "Extractor")
"""How the names of classes end whose parts have no weights."""
_POINTER = b"version https://git-lfs"
_PICKLED = (".bin", ".ckpt", ".pt", ".pth")


def check_files(spec: ModelSpec, folder: Path, family: Family) -> None:
    """Check the parts that `model_index.json` names.

    Args:
        spec: The model of an experiment.
        folder: Its folder, in the hub's layout.
        family: The family that runs it.

    Raises:
        InputError: The family cannot run the model, a part is missing, its weights are missing, pickled, of another
            variant or a Git LFS pointer, or a tokenizer of CLIP has no length.
    """
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    if fault := family.fault(index):
        raise InputError(f"model.id {spec.id!r}: {fault}")
    parts = {name: entry for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2 and entry[1]}
    left_out = {name for name, value in getattr(family, "loading", {}).items() if value is None}
    faults = [f"{name} is missing" for name in family.parts if name not in parts or not (folder / name).is_dir()]
    if faults:
        raise InputError(f"model.id {spec.id!r}: {'; '.join(faults)}; {folder} is incomplete")
    found: dict[str, str] = {}
    for name, (_library, kind) in parts.items():
        if name in left_out or not (folder / name).is_dir():
            continue
        if str(kind).startswith("CLIPTokenizer"):
            _check_length(spec, folder / name)
        elif not str(kind).endswith(_WITHOUT_WEIGHTS):
            found[name] = _check_weights(spec, folder / name)
    if spec.variant and spec.variant not in found.values():
        raise InputError(
            f"model.id {spec.id!r}: no part has weights of the variant {spec.variant!r}; leave model.variant out"
        )


def _check_weights(spec: ModelSpec, part: Path) -> str:
    """The variant of the weights that will be loaded; empty: those without one."""
    weights = sorted(part.glob("*.safetensors"))
    where = f"model.id {spec.id!r}: {part.name}"
    if not weights:
        pickled = sorted(path.name for path in part.iterdir() if path.suffix in _PICKLED)
        if pickled:
            raise InputError(
                f"{where} has only {pickled[0]}, a pickle, which can run any code when it is loaded; save the model "
                "again with safe_serialization=True"
            )
        raise InputError(f"{where} has no weights (*.safetensors) in {part}")
    for path in weights:
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise InputError(f"{where}: {path.name} is a Git LFS pointer, not the weights; run `git lfs pull`")
    variants = {_variant(path.name) for path in weights}
    chosen = spec.variant if spec.variant in variants else ""
    if chosen not in variants:
        names = ", ".join(repr(variant) for variant in sorted(variants))
        raise InputError(f"{where} has weights of the variant {names} only; set model.variant")
    _check_shards(where, part, chosen)
    return str(chosen)


def _variant(name: str) -> str:
    """`fp16` of `model.fp16.safetensors` and of `model.fp16-00001-of-00002.safetensors`; empty: none."""
    stem = name.removesuffix(".safetensors")
    return stem.partition(".")[2].partition("-")[0]


def _check_shards(where: str, part: Path, variant: str) -> None:
    """Raise `InputError` if an index names a file that is not there."""
    for path in part.glob(f"*.safetensors.index.{variant}.json" if variant else "*.safetensors.index.json"):
        index: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = sorted(name for name in set(index["weight_map"].values()) if not (part / name).is_file())
        if missing:
            raise InputError(f"{where}: {missing[0]} is missing, which {path.name} names")


def _check_length(spec: ModelSpec, part: Path) -> None:
    """Raise `InputError` if a tokenizer does not say how many tokens its model reads: prompts are padded to that."""
    path = part / "tokenizer_config.json"
    try:
        length = json.loads(path.read_text(encoding="utf-8")).get("model_max_length")
    except (OSError, ValueError) as error:
        raise InputError(f"model.id {spec.id!r}: {path} cannot be read: {error}") from None
    if not isinstance(length, int) or not 0 < length < 1 << 20:
        raise InputError(
            f"model.id {spec.id!r}: {path} has no model_max_length ({length!r}); set the number of tokens that the "
            "text encoder reads, such as 77"
        )
