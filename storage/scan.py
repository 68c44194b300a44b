"""Reads all manifests of a lake; one that is broken is listed as broken and hides no other."""

from collections.abc import Iterable
from dataclasses import dataclass

from skewbench.storage.place import LakeError, Place
from skewbench.storage.records import Manifest, parse_manifest, shown

_LOOKS = 5
"""Times that the manifests are listed again, where a run is removed while they are read."""


@dataclass(frozen=True)
class BrokenRun:
    """A run whose manifest cannot be parsed. As text: the file, what is wrong with it, and what to do."""

    run_id: str
    path: str
    why: str

    def __str__(self) -> str:
        name = shown(self.run_id)
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


def read_manifests(place: Place) -> Manifests:
    """All manifests of a lake. One that is broken is listed as broken and hides no other.

    Raises:
        LakeError: the lake cannot be read, or its runs are removed faster than they are read.
    """
    for _ in range(_LOOKS):
        paths = [path for path in place.list("_runs") if path.endswith(".json") and path.count("/") == 1]
        try:
            return _sorted(zip(paths, _contents(place, paths), strict=True))
        except FileNotFoundError:  # a run was removed meanwhile
            continue
    raise LakeError(f"lake {place.lake!r}: its runs are being removed; try again later")


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


def _sorted(files: Iterable[tuple[str, bytes | OSError]]) -> Manifests:
    found = Manifests([], [], [])
    for path, content in files:
        run_id = path.removeprefix("_runs/").removesuffix(".json")
        try:
            if isinstance(content, OSError):
                raise ValueError(f"it cannot be read ({content.strerror or content})")
            manifest = parse_manifest(run_id, content)
        except ValueError as error:
            found.broken.append(BrokenRun(run_id, path, str(error)))
        else:
            (found.removing if manifest.status == "removing" else found.whole).append(manifest)
    for manifests in (found.whole, found.removing):
        manifests.sort(key=lambda manifest: (manifest.created, manifest.run_id))
    return found
