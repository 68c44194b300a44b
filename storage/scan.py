"""Reads all manifests of a lake. A broken one is listed as broken and hides no other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from skewbench.storage.location import LakeError, Location
from skewbench.storage.records import Manifest, NewerSchemaError, parse_manifest, shown

T = TypeVar("T")
_BATCH = 256
"""Manifests that are read at once."""
_ATTEMPTS = 5
"""Times that the manifests are listed, if runs are removed while they are read."""


@dataclass(frozen=True)
class BrokenRun:
    """A run whose manifest cannot be read. Its text has the file, the fault and the repair.

    Args:
        run_id: The run, as the file's name has it.
        path: The file, relative to the lake.
        reason: The fault.
        newer: Its schema is newer than this skewbench reads; nothing else is wrong with it.
    """

    run_id: str
    path: str
    reason: str
    newer: bool = False

    def __str__(self) -> str:
        name = shown(self.run_id)
        if self.newer:
            return f"{shown(self.path)} was {self.reason}"
        return (
            f"{shown(self.path)} is not a manifest: {self.reason}; `skewbench verify {name} --repair` rebuilds it, "
            f"`skewbench runs rm {name}` removes the run"
        )


@dataclass(frozen=True)
class Manifests:
    """Return all runs of a lake.

    Args:
        whole: Runs that can be read, oldest first.
        broken: Runs whose manifest cannot be read.
        removing: Runs that are being removed, oldest first.
    """

    whole: list[Manifest]
    broken: list[BrokenRun]
    removing: list[Manifest]


def manifest_paths(location: Location) -> dict[str, str]:
    """List the manifests of a lake.

    Args:
        location: The lake.

    Returns:
        The path of each manifest, relative to the lake, by run id. No manifest is read.
    """
    paths = [path for path in location.list("_runs") if path.endswith(".json") and path.count("/") == 1]
    return {path.removeprefix("_runs/").removesuffix(".json"): path for path in paths}


def iterate_manifests(location: Location, paths: Iterable[str]) -> Iterator[Manifest | BrokenRun]:
    """Read manifests in batches, so that the files of only one batch are in memory.

    Args:
        location: The lake.
        paths: The manifests, relative to the lake.

    Yields:
        Each manifest in the order of the paths, or its fault.

    Raises:
        FileNotFoundError: A run was removed meanwhile.
    """
    remaining = iter(paths)
    while batch := list(islice(remaining, _BATCH)):
        for path, content in zip(batch, _contents(location, batch), strict=True):
            yield _parsed(path, content)


def without_removals(location: Location, read: Callable[[], T]) -> T:
    """Call `read`, and call it again if a run is removed while it reads.

    Args:
        location: The lake.
        read: Reads runs, and raises `FileNotFoundError` if one is removed meanwhile.

    Returns:
        What `read` returns.

    Raises:
        LakeError: Runs keep being removed while they are read.
    """
    for _ in range(_ATTEMPTS):
        try:
            return read()
        except FileNotFoundError:
            continue
    raise LakeError(f"lake {location.lake!r}: its runs are being removed; try again later")


def read_manifests(location: Location) -> Manifests:
    """Read all manifests of a lake. A broken one is listed as broken and hides no other.

    Args:
        location: The lake.

    Raises:
        LakeError: The lake cannot be read, or runs keep being removed while they are read.
    """
    return without_removals(location, lambda: _sorted(iterate_manifests(location, manifest_paths(location).values())))


def _contents(location: Location, paths: list[str]) -> list[bytes | OSError]:
    """The bytes of files; the error for a file that cannot be read from the disk."""
    try:
        return list(location.read_all(paths))
    except FileNotFoundError:
        raise
    except OSError:
        return [_content(location, path) for path in paths]


def _content(location: Location, path: str) -> bytes | OSError:
    try:
        return location.read(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        return error


def _parsed(path: str, content: bytes | OSError) -> Manifest | BrokenRun:
    run_id = path.removeprefix("_runs/").removesuffix(".json")
    try:
        if isinstance(content, OSError):
            raise ValueError(f"it cannot be read ({content.strerror or content})")
        return parse_manifest(run_id, content)
    except ValueError as error:
        return BrokenRun(run_id, path, str(error), isinstance(error, NewerSchemaError))


def _sorted(runs: Iterable[Manifest | BrokenRun]) -> Manifests:
    found = Manifests([], [], [])
    for run in runs:
        if isinstance(run, BrokenRun):
            found.broken.append(run)
        else:
            (found.removing if run.status == "removing" else found.whole).append(run)
    for manifests in (found.whole, found.removing):
        manifests.sort(key=lambda manifest: (manifest.created, manifest.run_id))
    return found
