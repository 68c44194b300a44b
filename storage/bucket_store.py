"""Objects of a lake in a bucket: one put each, and conditional puts where only one of several writers may succeed."""

import uuid
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from skewbench.storage.bucket import Bucket
from skewbench.storage.place import LakeError

if TYPE_CHECKING:
    from obstore import UpdateVersion


class BucketStore(Bucket):
    """A lake in a bucket, also written to.

    A put is whole or not at all. When an answer is lost the question is asked again, so a conditional put may meet its
    own first try: what is there then is compared with what was to be written, which no two writers have alike.
    """

    def check_writable(self) -> None:
        """Raises `LakeError` where nothing can be written, or not on condition: quickly, and in one line."""
        self.check_reachable()
        path, client = f"_temporary/{uuid.uuid4().hex}", self._client(retries=1, connect=3)
        self._ask(lambda: obstore.put(client, path, b"probe", mode="create", use_multipart=False), patience=0.0)
        try:
            self._ask(lambda: obstore.put(client, path, b"again", mode="create", use_multipart=False), patience=0.0)
            raise LakeError(
                f"lake {self.lake!r}: {self.endpoint()} has no conditional puts; receipts and lease need them"
            )
        except (AlreadyExistsError, PreconditionError):
            self._ask(lambda: obstore.delete(client, path), patience=0.0)

    def put(self, path: str, content: bytes) -> None:
        """Write an object, or replace it, atomically."""
        self._ask(lambda: obstore.put(self._store, path, content, use_multipart=False))

    def put_new(self, path: str, content: bytes) -> bool:
        """Write an object only if there is none; False where there was one (it stays as it is)."""
        try:
            self._ask(lambda: obstore.put(self._store, path, content, mode="create", use_multipart=False))
        except (AlreadyExistsError, PreconditionError):
            return self._holds(path, content)
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Replace an object only if its content is still `old`; False where it is not, or is gone."""
        try:
            there, version = self._ask(lambda: self._versioned(path))
            if there != old:
                return False
            self._ask(lambda: obstore.put(self._store, path, new, mode=version, use_multipart=False))
        except (PreconditionError, AlreadyExistsError, FileNotFoundError):
            return self._holds(path, new)
        return True

    def remove(self, path: str, old: bytes) -> bool:
        """Delete an object only if its content is still `old`; False where it is not, or is gone.

        Object stores are asked without a condition here (`obstore` has none for deletions), right after the content
        was compared. So whoever calls this first makes sure that nobody else replaces the object.
        """
        if not self._holds(path, old):
            return False
        self.delete(path)
        return True

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        try:
            self._ask(lambda: obstore.head(self._store, path))
        except FileNotFoundError:
            return False
        return True

    def delete(self, *paths: str) -> None:
        """Delete objects; not an error where there is none."""
        try:
            self._ask(lambda: obstore.delete(self._store, list(paths)))
        except FileNotFoundError:  # Google's store minds one that is gone, and stops there
            self.delete(*(path for path in paths if self.exists(path)))

    def _versioned(self, path: str) -> "tuple[bytes, UpdateVersion]":
        found = obstore.get(self._store, path)
        version: UpdateVersion = {"e_tag": found.meta["e_tag"]}
        if found.meta["version"]:  # Google's stores go by it
            version["version"] = found.meta["version"]
        return bytes(found.bytes()), version

    def _holds(self, path: str, content: bytes) -> bool:
        try:
            return self.read(path) == content
        except FileNotFoundError:
            return False
