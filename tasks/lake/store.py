"""Files of a lake: whole objects that appear at once or not at all."""

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tasks.errors import InputError

ABANDONED = 3600.0
"""Age in seconds from which a temporary file has no writer any more."""


class LocalStore:
    """A lake in a local folder. A write is a temporary file outside every glob, fsync, and a rename."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()

    def check_writable(self) -> None:
        """Create the folder where there is none. Raises `InputError` where nothing can be written."""
        try:
            self._written(b"probe").unlink()
        except OSError as error:
            raise InputError(f"lake {str(self.root)!r} cannot be written: {error.strerror or error}") from None
        self._sweep()

    def put(self, path: str, content: bytes) -> None:
        """Write an object, or replace it, atomically."""
        temporary = self._written(content)
        target = self._target(path)
        temporary.replace(target)
        _sync_folder(target.parent)

    def put_new(self, path: str, content: bytes) -> bool:
        """Write an object only if there is none; False where there was one (it stays as it is)."""
        temporary = self._written(content)
        target = self._target(path)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        _sync_folder(target.parent)
        return True

    def read(self, path: str) -> bytes:
        """An object's bytes. Raises `FileNotFoundError`."""
        return (self.root / path).read_bytes()

    def open(self, path: str) -> BinaryIO:
        """An object to read parts of. Raises `FileNotFoundError`."""
        return (self.root / path).open("rb")

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        return (self.root / path).is_file()

    def list(self, folder: str) -> list[str]:
        """Paths of the objects in a folder and below it, sorted."""
        found = (self.root / folder).rglob("*")
        return sorted(path.relative_to(self.root).as_posix() for path in found if path.is_file())

    def delete(self, path: str) -> None:
        """Delete an object; not an error where there is none. Folders left empty go too."""
        target = self.root / path
        target.unlink(missing_ok=True)
        for folder in _parents_within(target, self.root):
            try:
                folder.rmdir()
            except OSError:
                return

    def _sweep(self) -> None:
        """Delete temporary files that a killed writer left an hour ago or more."""
        for path in self._temporary_folder().iterdir():
            try:
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
            except FileNotFoundError:  # its writer was alive after all
                continue

    def _temporary_folder(self) -> Path:
        folder = self.root / "_temporary"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _written(self, content: bytes) -> Path:
        path = self._temporary_folder() / uuid.uuid4().hex
        try:
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:  # on a full disk what is there of it would stay
            path.unlink(missing_ok=True)
            raise
        return path

    def _target(self, path: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def open_store(lake: str | Path) -> LocalStore:
    """The store of a lake's path. Raises `InputError` for a kind of path that is not supported."""
    if "://" in str(lake):
        raise InputError(f"lake {str(lake)!r}: only local folders so far")
    return LocalStore(lake)


def _parents_within(path: Path, root: Path) -> Iterator[Path]:
    yield from (parent for parent in path.parents if parent != root and parent.is_relative_to(root))


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
