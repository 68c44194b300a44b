"""Where a lake lies: a local folder, or a bucket of an object store (`skewbench.storage.bucket`). Reading alone."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol


class LakeError(ValueError):
    """A lake, or a run of it, that cannot be read. One line that names the value and what there is instead."""


class LakeUnreachable(LakeError):
    """An object store that does not answer, after it was asked again for as long as patience lasts."""


class LakeWarning(UserWarning):
    """Something of a lake that is broken and was left out of what a reader sees."""


class Place(Protocol):
    """Whole objects under names that are relative to the lake. All that readers ask of a lake."""

    @property
    def lake(self) -> str:
        """What opens this lake again, on any machine that reaches it: an absolute path, or a URL."""
        ...

    def address(self, path: str) -> str:
        """Where an object lies, for people and for DuckDB."""
        ...

    def read(self, path: str) -> bytes:
        """An object's bytes. Raises `FileNotFoundError`."""
        ...

    def read_all(self, paths: Iterable[str]) -> list[bytes]:
        """The bytes of many objects, in their order. Raises `FileNotFoundError`."""
        ...

    def open(self, path: str) -> BinaryIO:
        """An object to read parts of. Raises `FileNotFoundError`."""
        ...

    def list(self, folder: str) -> list[str]:
        """Paths of the objects in a folder and below it, sorted."""
        ...


class Folder:
    """A lake in a local folder."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()

    @property
    def lake(self) -> str:
        """The folder."""
        return str(self.root)

    def address(self, path: str) -> str:
        """The file of an object."""
        return str(self.root / path)

    def read(self, path: str) -> bytes:
        """An object's bytes. Raises `FileNotFoundError`."""
        return (self.root / path).read_bytes()

    def read_all(self, paths: Iterable[str]) -> list[bytes]:
        """The bytes of many objects, in their order. Raises `FileNotFoundError`."""
        return [self.read(path) for path in paths]

    def open(self, path: str) -> BinaryIO:
        """An object to read parts of. Raises `FileNotFoundError`."""
        return (self.root / path).open("rb")

    def list(self, folder: str) -> list[str]:
        """Paths of the objects in a folder and below it, sorted."""
        return sorted(_files(self.root / folder, folder))


def _files(folder: Path, name: str) -> Iterator[str]:
    """Files below a folder, by paths that begin with its name. `os.scandir` costs a tenth of `Path.rglob`."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = f"{name}/{entry.name}" if name else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), path)
        elif entry.is_file():
            yield path


def locate(lake: str | Path) -> Place:
    """The place of a lake, to read it.

    Raises:
        LakeError: no such folder, a URL of a kind that is not known, no credentials in the environment.
    """
    if "://" in str(lake):
        from skewbench.storage.bucket import Bucket

        return Bucket(str(lake))
    folder = Path(lake).expanduser().resolve()
    if not folder.is_dir():
        raise LakeError(f"lake {str(lake)!r}: no such folder")
    return Folder(folder)
