"""Reads all manifests of a lake; one that is broken is listed as broken and hides no other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from skewbench.storage.place import LakeError, Place
from skewbench.storage.records import Manifest, NewerSchemaError, parse_manifest, shown

T = TypeVar("T")
_AT_ONCE = 256
"""Manifests that are read together."""
_LOOKS = 5
"""Times that the manifests are listed again, where a run is removed while they are read."""


@dataclass(frozen=True)
class BrokenRun:
    """A run whose manifest cannot be parsed. As text: the file, what is wrong with it, and what to do.

    `newer`: nothing is wrong with it, but it is of a newer schema than this skewbench reads.
    """

    run_id: str
    path: str
    why: str
    newer: bool = False

    def __str__(self) -> str:
        name = shown(self.run_id)
        if self.newer:
            return f"{shown(self.path)} was {self.why}"
        return (
            f"{shown(self.path)} is no manifest: {self.why}; `skewbench verify {name} --repair` rebuilds it, "
            f"`skewbench runs rm {name}` removes the run"
        )


@dataclass(frozen=True)
class Manifests:
    """All runs of a lake, oldest first: those that can be read, those that are broken, those that are being removed."""

    whole: list[Manifest]
    broken: list[BrokenRun]
    removing: list[Manifest]


def manifest_paths(place: Place) -> dict[str, str]:
    """List the manifests of a lake: their paths by run id."""
    paths = [path for path in place.list("_runs") if path.endswith(".json") and path.count("/") == 1]
    return {path.removeprefix("_runs/").removesuffix(".json"): path for path in paths}


def iterate_manifests(place: Place, paths: Iterable[str]) -> Iterator[Manifest | BrokenRun]:
    """Read manifests a batch at a time, so that the files of no more than a batch are held.

    Raises:
        FileNotFoundError: a run was removed meanwhile.
    """
    waiting = iter(paths)
    while batch := list(islice(waiting, _AT_ONCE)):
        for path, content in zip(batch, _contents(place, batch), strict=True):
            yield _parsed(path, content)


def without_removals(place: Place, read: Callable[[], T]) -> T:
    """Return what `read` returns; call it again while a run is removed as it reads.

    Raises:
        LakeError: the lake's runs are removed faster than they are read.
    """
    for _ in range(_LOOKS):
        try:
            return read()
        except FileNotFoundError:
            continue
    raise LakeError(f"lake {place.lake!r}: its runs are being removed; try again later")


def read_manifests(place: Place) -> Manifests:
    """Read all manifests of a lake. One that is broken is listed as broken and hides no other.

    Raises:
        LakeError: the lake cannot be read, or its runs are removed faster than they are read.
    """
    return without_removals(place, lambda: _sorted(iterate_manifests(place, manifest_paths(place).values())))


def _contents(place: Place, paths: list[str]) -> list[bytes | OSError]:
    """The files' bytes, and for a file that the disk does not give back its error."""
    try:
        return list(place.read_all(paths))
    except FileNotFoundError:
        raise
    except OSError:
        return [_content(place, path) for path in paths]


def _content(place: Place, path: str) -> bytes | OSError:
    try:
        return place.read(path)
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
