"""The location of a lake, for readers: a local folder, or a bucket of an object store (`skewbench.storage.bucket`)."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from skewbench.vocabulary.user_paths import user_path


class LakeError(ValueError):
    """A lake or a run that cannot be read. The message is one line with the value and what exists instead."""


class LakeUnreachable(LakeError):
    """An object store that did not answer within `skewbench.storage.bucket.PATIENCE`, despite retries."""


class LakeWarning(UserWarning):
    """A broken file of a lake that was left out of an answer."""


class Location(Protocol):
    """A lake as readers need it: whole objects under paths that are relative to the lake."""

    @property
    def lake(self) -> str:
        """An absolute path or a URL, which opens this lake on any machine that reaches it."""
        ...

    def address(self, path: str) -> str:
        """Return the absolute path or URL of an object, for messages and for DuckDB.

        Args:
            path: Path relative to the lake, with `/`. The object need not exist.
        """
        ...

    def read(self, path: str) -> bytes:
        """Read an object whole.

        Args:
            path: Path relative to the lake, with `/`.

        Raises:
            FileNotFoundError: The object does not exist.
        """
        ...

    def read_all(self, paths: Iterable[str]) -> list[bytes]:
        """Read many objects whole.

        Args:
            paths: Paths relative to the lake, with `/`.

        Returns:
            The contents, in the order of the paths.

        Raises:
            FileNotFoundError: One of the objects does not exist.
        """
        ...

    def open(self, path: str, size: int | None = None) -> BinaryIO:
        """Open an object, to read ranges of it.

        Args:
            path: Path relative to the lake, with `/`.
            size: The object's size in bytes, if known; a bucket is asked for it otherwise.

        Raises:
            FileNotFoundError: The object does not exist.
        """
        ...

    def list(self, folder: str) -> list[str]:
        """List the paths of the objects in a folder and below it, sorted.

        Args:
            folder: Folder relative to the lake, with `/`; "" is the whole lake. It need not exist.
        """
        ...

    def is_inside(self, path: str) -> bool:
        """Return whether a path stays inside the lake when its links are followed.

        Args:
            path: Path relative to the lake, with `/`.
        """
        ...


class Folder:
    """A lake in a local folder.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()

    @property
    def lake(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def address(self, path: str) -> str:
        return str(self.root / path)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def read_all(self, paths: Iterable[str]) -> list[bytes]:
        return [self.read(path) for path in paths]

    def open(self, path: str, size: int | None = None) -> BinaryIO:
        return (self.root / path).open("rb")

    def list(self, folder: str) -> list[str]:
        return sorted(_files(self.root / folder, folder))

    def is_inside(self, path: str) -> bool:
        return (self.root / path).resolve().is_relative_to(self.root.resolve())


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


def lake_folder(lake: str | Path) -> Path:
    """Return the absolute path of a lake's folder.

    Args:
        lake: The folder, which need not exist.

    Raises:
        InputError: The text cannot be a path.
    """
    return user_path(lake, "lake").absolute()


def locate(lake: str | Path) -> Location:
    """Locate a lake, to read it.

    Args:
        lake: Its folder, or its URL.

    Returns:
        The lake's location. Nothing was read yet.

    Raises:
        LakeError: No such folder, an unsupported URL, or no credentials in the environment.
        InputError: What no folder can be named.
    """
    if "://" in str(lake):
        from skewbench.storage.bucket import Bucket

        return Bucket(str(lake))
    folder = lake_folder(lake).resolve()
    if not folder.is_dir():
        raise LakeError(f"lake {str(lake)!r}: no such folder")
    return Folder(folder)
