"""Finds weights on this machine, checks them against published checksums, and downloads them."""

import json
import os
from functools import cache
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from skewbench.eval.weights.catalogue import PACKAGES, SHARDS, WEIGHTS, Source, Weights
from skewbench.vocabulary.user_paths import folder_from_environment, user_path

FOLDER = "SKEWBENCH_WEIGHTS"
"""Environment variable: the folder with one folder for each set of weights."""


class MissingWeights(RuntimeError):
    """Weights, or an optional package, that are not on this machine. The message says how to get them."""


class BadWeights(ValueError):
    """A file that is not the weights that it should be."""


def folder() -> Path:
    """Return the folder into which `get` downloads weights, in one folder per name."""
    return folder_from_environment(FOLDER, ".cache", "skewbench", "weights")


def find(name: str) -> Path | None:
    """Find weights on this machine.

    Looks at `$SKEWBENCH_WEIGHTS_<NAME>`, then under `$SKEWBENCH_WEIGHTS`, then, for a single file, in the caches of
    Hugging Face and torch.

    Args:
        name: Name in the catalogue `WEIGHTS`.

    Returns:
        The file, or the folder if the weights have several files; None if they are not on this machine.
    """
    weights = WEIGHTS[name]
    if named := os.environ.get(weights.variable):
        path = user_path(named, weights.variable)
        return path if path.exists() else None
    own = folder() / name
    if all((own / file).is_file() for file in weights.files) and _has_shards(weights, own):
        return own if len(weights.files) > 1 else own / weights.files[0]
    return _cached(weights) if len(weights.files) == 1 else None


def _has_shards(weights: Weights, own: Path) -> bool:
    """Whether each sharded source has an index and all shards that it names."""
    return all(
        any(_is_whole(own / source.folder / index) for index in SHARDS) for source in weights.sources if source.sharded
    )


def _is_whole(index: Path) -> bool:
    shards = _shards(index) if index.is_file() else []
    return bool(shards) and all((index.parent / shard).is_file() for shard in shards)


def _shards(index: Path) -> list[str]:
    """The shards that the index of a checkpoint names; none if the index is damaged."""
    try:
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return sorted(shards) if all(isinstance(shard, str) for shard in shards) else []


def _cached(weights: Weights) -> Path | None:
    (source,), (file,) = weights.sources, weights.files
    if source.repository:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(source.repository, file)
        return Path(found) if isinstance(found, str) else None
    path = folder_from_environment("TORCH_HOME", ".cache", "torch") / "hub" / "checkpoints" / file
    return path if path.is_file() else None


def missing(needs: tuple[str, ...]) -> str | None:
    """Return why something that a scorer needs is not available.

    Args:
        needs: Names of weights in the catalogue or of importable packages.

    Returns:
        The first reason, with the command that installs what is missing; None if nothing is missing.
    """
    for need in needs:
        if need in WEIGHTS:
            if find(need) is None:
                return _advice(WEIGHTS[need])
        elif find_spec(need) is None:
            extra = f"'skewbench[{PACKAGES[need]}]'" if need in PACKAGES else need
            return f"package {need} is not installed; pip install {extra}"
    return None


def _advice(weights: Weights) -> str:
    if named := os.environ.get(weights.variable):
        return f"{weights.variable} is {named!r}, which does not exist"
    return f"weights {weights.name} are not on this machine; `skewbench weights get {weights.name}`"


def path_of(name: str) -> Path:
    """Return where weights are.

    Args:
        name: Name in the catalogue `WEIGHTS`.

    Returns:
        The file, or the folder if the weights have several files.

    Raises:
        MissingWeights: The weights are not on this machine.
        BadWeights: The file differs from its published sha256.
    """
    path = find(name)
    if path is None:
        raise MissingWeights(_advice(WEIGHTS[name]))
    check(WEIGHTS[name], path)
    return path


def check(weights: Weights, path: Path) -> None:
    """Check a file against the published sha256, if there is one.

    Args:
        weights: The row of the catalogue.
        path: The file.

    Raises:
        BadWeights: The sha256 differs.
    """
    if weights.sha256 and not (found := _sha256(path, path.stat().st_mtime_ns)).startswith(weights.sha256):
        raise BadWeights(f"{path} is not {weights.name}: sha256 {found[:16]}…, published is {weights.sha256[:16]}")


@cache
def _sha256(path: Path, _changed: int) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def get(name: str) -> Path:
    """Download weights into `folder()`.

    Args:
        name: Name in the catalogue `WEIGHTS`.

    Returns:
        The file, or the folder if the weights have several files.

    Raises:
        BadWeights: The file differs from its published sha256. Errors of `huggingface_hub` and torch are passed on.
    """
    weights = WEIGHTS[name]
    own = folder() / name
    own.mkdir(parents=True, exist_ok=True)
    for source in weights.sources:
        (own / source.folder).mkdir(exist_ok=True)
        if source.is_archive:
            _get_members(source, own / source.folder)
        else:
            _get_files(source, own / source.folder, weights.sha256)
        if source.sharded:
            _get_shards(source.repository, own / source.folder)
    path = own if len(weights.files) > 1 else own / weights.files[0]
    if path.is_file():
        check(weights, path)
    return path


def _get_files(source: Source, into: Path, sha256: str) -> None:
    from huggingface_hub import hf_hub_download
    from torch.hub import download_url_to_file

    for file in source.files:
        if source.repository:
            hf_hub_download(source.repository, file, local_dir=into)
        else:
            download_url_to_file(source.url, str(into / file), hash_prefix=sha256 or None)


def _get_members(source: Source, into: Path) -> None:
    """Download an archive and move its members `files` into a folder. The rest of the archive is deleted."""
    from torch.hub import download_url_to_file

    with TemporaryDirectory(dir=into) as temporary:
        archive = Path(temporary) / "archive.zip"
        download_url_to_file(source.url, str(archive))
        try:
            with ZipFile(archive) as members:
                extracted = [members.extract(file, temporary) for file in source.files]
        except (BadZipFile, KeyError) as error:
            raise BadWeights(f"{source.url} has not the files {', '.join(source.files)}: {error}") from error
        for file, path in zip(source.files, extracted, strict=True):
            (into / file).parent.mkdir(parents=True, exist_ok=True)
            Path(path).replace(into / file)


def _get_shards(repository: str, into: Path) -> None:
    from huggingface_hub import file_exists, hf_hub_download

    name = next((name for name in SHARDS if file_exists(repository, name)), SHARDS[0])
    index = Path(hf_hub_download(repository, name, local_dir=into))
    if not (shards := _shards(index)):
        raise BadWeights(f"{index} names no shards; delete it and download it again")
    for shard in shards:
        hf_hub_download(repository, shard, local_dir=into)
