"""The files of a model's folder that its family loads, and whether they are whole. No weights are read."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.families.contract import Family
from skewbench.tasks.safetensors_file import check_whole
from skewbench.vocabulary.errors import InputError

_TOKENIZER = ("Tokenizer", "TokenizerFast")
_SCHEDULER = "Scheduler"
_PREPROCESSOR = ("Processor", "Extractor")
"""Endings of class names whose parts have no weights."""
_PICKLED = (".bin", ".ckpt", ".pt", ".pth")


@dataclass(frozen=True)
class _Part:
    """A part that `model_index.json` names."""

    folder: Path
    class_name: str

    @property
    def kind(self) -> Literal["weights", "tokenizer", "scheduler", "preprocessor"]:
        if self.class_name.endswith(_TOKENIZER):
            return "tokenizer"
        if self.class_name.endswith(_SCHEDULER):
            return "scheduler"
        return "preprocessor" if self.class_name.endswith(_PREPROCESSOR) else "weights"

    @property
    def config(self) -> Path:
        """The file of its settings."""
        return self.folder / ("config.json" if self.kind == "weights" else f"{self.kind}_config.json")


def check_files(spec: ModelSpec, folder: Path, family: Family, weights: bool = True) -> None:
    """Check the parts that `model_index.json` names.

    Args:
        spec: The model of an experiment.
        folder: Its folder, in the hub's layout.
        family: The family that runs it.
        weights: Whether the weights are in the folder.

    Raises:
        InputError: The family cannot run the model, a part or its configuration is missing or broken, its weights are
            missing, pickled, truncated, of another variant or a Git LFS pointer, or a tokenizer of CLIP has no length.
    """
    if fault := family.fault(_index(folder)):
        raise InputError(f"{spec.where}: {fault}")
    parts = {part.folder.name: part for part in _parts(folder, family)}
    required = dict.fromkeys((*family.parts, *parts))
    if missing := [name for name in required if name not in parts or not parts[name].folder.is_dir()]:
        raise InputError(f"{spec.where}: {' and '.join(missing)} missing; {folder} is incomplete")
    variants = set()
    for part in parts.values():
        config = _config(spec, part)
        if part.class_name.startswith("CLIPTokenizer"):
            _check_length(spec, part, config)
        if weights and part.kind == "weights":
            variants.add(_check_weights(spec, part.folder))
    if weights and spec.variant and spec.variant not in variants:
        raise InputError(
            f"{spec.where}: no part has weights of the variant {spec.variant!r}; remove {spec.field}.variant"
        )


def weights_of(spec: ModelSpec, folder: Path, family: Family) -> list[Path]:
    """List the files of weights that are loaded.

    Args:
        spec: The model, with its variant.
        folder: Its folder, which `check_files` has accepted.
        family: The family that runs it.
    """
    return [path for part in weighted_parts(folder, family) for path in _chosen(spec, folder / part)[1]]


def weighted_parts(folder: Path, family: Family) -> list[str]:
    """List the names of the parts that have weights.

    Args:
        folder: The model's folder.
        family: The family that runs it.
    """
    return [part.folder.name for part in _parts(folder, family) if part.kind == "weights"]


def empty_part(folder: Path, part: str) -> Any:
    """Build a part of a model without memory for its weights. Slow: imports diffusers.

    Args:
        folder: The model's folder.
        part: Name of the part.
    """
    define_missing_operators()
    import diffusers
    import torch
    import transformers

    library, kind = _index(folder)[part]
    config = json.loads((folder / part / "config.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        if library == "diffusers":
            return getattr(diffusers, kind).from_config(config)
        found = getattr(transformers, kind)
        return found(found.config_class.from_dict(config))


def deciding_files(spec: ModelSpec, folder: Path, family: Family) -> list[Path]:
    """List the files that affect a model's output, sorted; other files of its folder are not read.

    Linked parts and files count like others. Of weights in several variants, the loaded ones count.

    Args:
        spec: The model, with its variant.
        folder: Its folder.
        family: The family that runs it.
    """
    weights = weights_of(spec, folder, family)
    shards = [path for part in weighted_parts(folder, family) for path in (folder / part).glob("*.index.json")]
    return sorted({*config_files(folder, family), *weights, *shards})


def config_files(folder: Path, family: Family) -> list[Path]:
    """List the configurations and the files of tokenizers.

    Args:
        folder: The model's folder.
        family: The family that runs it.
    """
    found = [folder / "model_index.json"]
    for part in _parts(folder, family):
        if not part.folder.is_dir():
            continue
        endings = {".json", ".txt", ".model", ".jinja"} if part.kind == "tokenizer" else {".json"}
        files = (path for path in part.folder.iterdir() if path.suffix in endings and path.is_file())
        found += [path for path in files if not path.name.endswith(".index.json")]
    return sorted(found)


def digest_of_files(folder: Path, files: Iterable[Path]) -> str:
    """Digest the contents of files and their names: the path within a folder, or only the extension of other files.

    Args:
        folder: The folder.
        files: The files.
    """
    whole = sha256()
    for path in files:
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.suffix
        whole.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                whole.update(block)
    return whole.hexdigest()[:16]


def _parts(folder: Path, family: Family) -> Iterator[_Part]:
    """List the parts that are loaded."""
    left_out = family.left_out(folder)
    for name, entry in _index(folder).items():
        if isinstance(entry, list) and len(entry) == 2 and entry[1] and name not in left_out:
            yield _Part(folder / name, str(entry[1]))


def _index(folder: Path) -> Mapping[str, Any]:
    """Read `model_index.json`, which names the parts."""
    index: Mapping[str, Any] = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    return index


def _config(spec: ModelSpec, part: _Part) -> Mapping[str, Any]:
    """The part's settings. Raises `InputError` where they cannot be read."""
    path = part.config
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{spec.where}: {path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{spec.where}: {path} contains no settings")
    return content


def _chosen(spec: ModelSpec, part: Path) -> tuple[str, list[Path]]:
    """Return the variant of the weights that is loaded, and its files; no files if none can be loaded."""
    weights = sorted(path for path in part.glob("*.safetensors") if path.is_file())
    wanted = spec.variant or ""
    variant = wanted if any(_variant(path.name) == wanted for path in weights) else ""
    return variant, [path for path in weights if _variant(path.name) == variant]


def _check_weights(spec: ModelSpec, part: Path) -> str:
    """Check the files of a part's weights, and return their variant; empty for files without one."""
    weights = sorted(part.glob("*.safetensors"))
    where = f"{spec.where}: {part.name}"
    if not weights:
        pickled = sorted(path.name for path in part.iterdir() if path.suffix in _PICKLED)
        if pickled:
            raise InputError(
                f"{where} has only {pickled[0]}, a pickle, which can run any code when it is loaded; save the model "
                "again with safe_serialization=True"
            )
        raise InputError(f"{where} has no weights (*.safetensors) in {part}")
    variant, chosen = _chosen(spec, part)
    if not chosen:
        names = ", ".join(sorted({repr(_variant(path.name)) for path in weights}))
        raise InputError(f"{where} has weights of the variant {names} only; set {spec.field}.variant")
    for path in chosen:
        check_whole(where, path)
    _check_shards(where, part, variant)
    return variant


def _variant(name: str) -> str:
    """Return the variant in a file's name, such as `fp16` in `model.fp16-00001-of-00002.safetensors`; empty: none."""
    stem = name.removesuffix(".safetensors")
    return stem.partition(".")[2].partition("-")[0]


def _check_shards(where: str, part: Path, variant: str) -> None:
    """Raise `InputError` if an index names a missing file."""
    for path in part.glob(f"*.safetensors.index.{variant}.json" if variant else "*.safetensors.index.json"):
        try:
            names = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{where}: {path.name} cannot be read: {type(error).__name__}: {error}") from None
        if missing := sorted(name for name in names if not (part / str(name)).is_file()):
            raise InputError(f"{where}: {missing[0]} is missing, which {path.name} names")


def _check_length(spec: ModelSpec, part: _Part, config: Mapping[str, Any]) -> None:
    """Raise `InputError` if a tokenizer does not say how many tokens its model reads: prompts are padded to that."""
    length = config.get("model_max_length")
    if not isinstance(length, int) or not 0 < length < 1 << 20:
        raise InputError(
            f"{spec.where}: {part.config} has no model_max_length ({length!r}); set the number "
            "of tokens that the text encoder reads, such as 77"
        )
