"""Objects of a lake: whole at once, or not there. In a local folder here; in a bucket in `storage.bucket_store`."""

import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from skewbench.storage.place import Folder, LakeUnreachable, Place
from skewbench.vocabulary.errors import InputError

ABANDONED = 3600.0
"""Age in seconds from which a temporary file has no writer any more."""
LOCK_PATIENCE = 60.0
"""Seconds for which a lake's lock is waited for. It is held for as long as one small file takes to be written."""
_LOCK = ".lock"


class Store(Place, Protocol):
    """A lake to write to. Its promises rest on `put_new`, `swap` and `remove`: of several writers one succeeds."""

    def check_writable(self) -> None:
        """Raises `InputError` or `LakeError` where nothing can be written."""
        ...

    def put(self, path: str, content: bytes) -> None:
        """Write an object, or replace it, atomically."""
        ...

    def put_new(self, path: str, content: bytes) -> bool:
        """Write an object only if there is none; False where there was one (it stays as it is)."""
        ...

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Replace an object only if its content is still `old`; False where it is not, or is gone."""
        ...

    def remove(self, path: str, old: bytes) -> bool:
        """Delete an object only if its content is still `old`; False where it is not, or is gone."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        ...

    def delete(self, *paths: str) -> None:
        """Delete objects; not an error where there is none."""
        ...


class LocalStore(Folder):
    """A lake in a local folder. A write is a temporary file outside every glob, fsync, and a rename."""

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

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Replace an object only if its content is still `old`; False where it is not, or is gone."""
        with self._locked():
            if not self._holds(path, old):
                return False
            self.put(path, new)
            return True

    def remove(self, path: str, old: bytes) -> bool:
        """Delete an object only if its content is still `old`; False where it is not, or is gone."""
        with self._locked():
            if not self._holds(path, old):
                return False
            self.delete(path)
            return True

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        return (self.root / path).is_file()

    def delete(self, *paths: str) -> None:
        """Delete objects; not an error where there is none. Folders left empty go too.

        Where a link leads out of the lake nothing is deleted: a lake may be somebody else's, and its links too.
        """
        root = self.root.resolve()
        for target in (self.root / path for path in paths):
            if not target.parent.resolve().is_relative_to(root):
                continue
            target.unlink(missing_ok=True)
            for folder in _parents_within(target, self.root):
                if folder.name.startswith("_"):  # others write there too, and may have just made sure that it is there
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break

    def _sweep(self) -> None:
        """Delete temporary files that a killed writer left an hour ago or more."""
        for path in self._temporary_folder().iterdir():
            try:
                if path.name != _LOCK and time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
            except FileNotFoundError:  # its writer was alive after all
                continue

    def _holds(self, path: str, content: bytes) -> bool:
        try:
            return self.read(path) == content
        except FileNotFoundError:
            return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time: a file has no compare-and-swap of its own.

        Raises `LakeUnreachable` where a process keeps the lock, since it was stopped while it held it.
        """
        until = time.monotonic() + LOCK_PATIENCE
        with (self._temporary_folder() / _LOCK).open("wb") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise LakeUnreachable(
                            f"lake {self.lake!r}: another process has held {file.name} for {LOCK_PATIENCE:.0f} s; "
                            "resume that process, or end it"
                        ) from None
                    time.sleep(0.005)
            yield

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


def open_store(lake: str | Path) -> Store:
    """The store of a lake's folder or URL.

    Raises:
        LakeError: a URL that is none, and without credentials.
        InputError: a file where a folder is wanted.
    """
    if "://" in str(lake):
        from skewbench.storage.bucket_store import BucketStore

        return BucketStore(str(lake))
    if os.path.isfile(lake):
        raise InputError(f"lake {str(lake)!r}: {os.strerror(errno.ENOTDIR)}")
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
