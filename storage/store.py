"""Stores objects of a lake, each whole or not at all: in a local folder here, in a bucket in `storage.bucket_store`."""

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from skewbench.storage.file_lock import locked
from skewbench.storage.location import Folder, Location, lake_folder
from skewbench.vocabulary.errors import InputError

ABANDONED = 3600.0
"""Age in seconds from which a temporary file is taken to have no writer."""
LOCK_PATIENCE = 60.0
"""Seconds to wait for a lake's lock. It is held only while one small file is written."""
_LOCK = ".lock"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of file systems without hard links (exFAT, some FUSE and SMB mounts)."""


class Store(Location, Protocol):
    """A lake to write to. Its promises rest on `put_new`, `swap` and `remove`: of several writers one succeeds."""

    def check_writable(self) -> None:
        """Check that objects can be written. Raises `InputError` or `LakeError` if they cannot."""
        ...

    def put(self, path: str, content: bytes) -> None:
        """Write or replace an object atomically.

        Args:
            path: Path relative to the lake, with `/`.
            content: The object's whole content.
        """
        ...

    def put_new(self, path: str, content: bytes) -> bool:
        """Write an object unless it exists.

        Args:
            path: Path relative to the lake, with `/`.
            content: The object's whole content.

        Returns:
            Whether the object was written. An existing one is left unchanged.
        """
        ...

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Replace an object if its content is still `old`.

        Args:
            path: Path relative to the lake, with `/`.
            old: The content to compare with.
            new: The content to write.

        Returns:
            Whether the object was replaced.
        """
        ...

    def remove(self, path: str, old: bytes) -> bool:
        """Delete an object if its content is still `old`.

        Args:
            path: Path relative to the lake, with `/`.
            old: The content to compare with.

        Returns:
            Whether the object was deleted.
        """
        ...

    def exists(self, path: str) -> bool:
        """Return whether an object exists.

        Args:
            path: Path relative to the lake, with `/`.
        """
        ...

    def delete(self, *paths: str) -> None:
        """Delete objects. Those that do not exist are ignored.

        Args:
            *paths: Paths relative to the lake, with `/`.
        """
        ...


class LocalStore(Folder):
    """A lake in a local folder. It writes a temporary file outside every glob, then calls fsync, then renames it."""

    def check_writable(self) -> None:
        """Create the folder if it does not exist. Raises `InputError` if it lacks what a lake needs.

        All changes of the store are tried once: some file systems have no hard links, no locks or no sync of folders.
        """
        path = f"_temporary/{uuid.uuid4().hex}"
        try:
            is_sound = self.put_new(path, b"1") and self.swap(path, b"1", b"2") and self.remove(path, b"2")
        except OSError as error:
            raise InputError(f"lake {str(self.root)!r} cannot be written: {error.strerror or error}") from None
        if not is_sound:
            raise InputError(f"lake {str(self.root)!r}: a file that was just written cannot be found; use another disk")
        self._sweep()

    def put(self, path: str, content: bytes) -> None:
        target = self._target(path)
        temporary = self._written(content)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def put_new(self, path: str, content: bytes) -> bool:
        target = self._target(path)
        temporary = self._written(content)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise InputError(
                    f"lake {self.lake!r}: its file system has no hard links ({error.strerror}), which a lake in a "
                    "folder needs; use a folder on a local disk, or a bucket"
                ) from None
            raise
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        with self._locked():
            if not self._holds(path, old):
                return False
            self.put(path, new)
            return True

    def remove(self, path: str, old: bytes) -> bool:
        with self._locked():
            if not self._holds(path, old):
                return False
            self.delete(path)
            return True

    def exists(self, path: str) -> bool:
        return (self.root / path).is_file()

    def delete(self, *paths: str) -> None:
        """Delete objects and the folders that become empty. Objects that do not exist are ignored.

        Nothing is deleted through a link that points outside the lake, because a lake and its links may be untrusted.
        """
        for path in paths:
            target = self.root / path
            if not self.is_inside(path.rpartition("/")[0]):
                continue
            target.unlink(missing_ok=True)
            for folder in _parents_within(target, self.root):
                if folder.name.startswith("_"):  # other writers may just have checked that it exists
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break

    def _sweep(self) -> None:
        """Delete temporary files that killed writers left behind at least an hour ago."""
        for path in self._temporary_folder().iterdir():
            try:
                if path.name != _LOCK and time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
            except FileNotFoundError:  # its writer was still alive
                continue

    def _holds(self, path: str, content: bytes) -> bool:
        try:
            return self.read(path) == content
        except FileNotFoundError:
            return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lake's lock, because files have no compare-and-swap.

        Raises:
            LakeUnreachable: Another process was stopped while it held the lock.
        """
        with locked(self._temporary_folder() / _LOCK, self.lake, LOCK_PATIENCE):
            yield

    def _temporary_folder(self) -> Path:
        self._check_inside("_temporary")
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
        except OSError as error:  # on a full disk, the incomplete file would stay
            path.unlink(missing_ok=True)
            error.filename = error.filename or str(path)  # so that the message says which disk
            raise
        return path

    def _target(self, path: str) -> Path:
        self._check_inside(path.rpartition("/")[0])
        return self.root / path

    def _check_inside(self, folder: str) -> None:
        """Raise `InputError` for a folder that a link moves out of the lake: a lake may come from anybody."""
        if not self.is_inside(folder):
            raise InputError(
                f"lake {self.lake!r}: {folder} is a link that points outside the lake, where skewbench does not write"
            )


def open_store(lake: str | Path) -> Store:
    """Open a lake, to read and write it.

    Args:
        lake: Its folder, which need not exist yet, or its URL.

    Returns:
        The store. Nothing was written yet.

    Raises:
        LakeError: An unsupported URL, or no credentials in the environment.
        InputError: The path is a file, or what no folder can be named.
    """
    if "://" in str(lake):
        from skewbench.storage.bucket_store import BucketStore

        return BucketStore(str(lake))
    folder = lake_folder(lake)
    if folder.is_file():
        raise InputError(f"lake {str(lake)!r}: {os.strerror(errno.ENOTDIR)}")
    return LocalStore(folder)


def _parents_within(path: Path, root: Path) -> Iterator[Path]:
    yield from (parent for parent in path.parents if parent != root and parent.is_relative_to(root))


def _sync_folder(folder: Path) -> None:
    """Sync a folder to the disk. A rename is durable only after its folder was synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
