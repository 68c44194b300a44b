"""Stores objects of a lake in a bucket: one put each, conditional where only one of several writers may succeed."""

import uuid
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from skewbench.storage.bucket import Bucket
from skewbench.storage.location import LakeError

if TYPE_CHECKING:
    from obstore import UpdateVersion


class BucketStore(Bucket):
    """A lake in a bucket, to read and write.

    A put writes the whole object or nothing. A request whose answer does not arrive is sent again, so a conditional put
    may find the object that its own first attempt wrote. It therefore compares what exists with what was to be written:
    no two writers write the same content.
    """

    def check_writable(self) -> None:
        """Check, within seconds, that objects can be written, also conditionally. Raises `LakeError` if not."""
        self.check_reachable()
        path, client = f"_temporary/{uuid.uuid4().hex}", self._client(retries=1, connect=3)
        self._request(lambda: obstore.put(client, path, b"probe", mode="create", use_multipart=False), patience=0.0)
        try:
            self._request(lambda: obstore.put(client, path, b"again", mode="create", use_multipart=False), patience=0.0)
            raise LakeError(
                f"lake {self.lake!r}: {self.endpoint()} has no conditional puts, which receipts and leases need"
            )
        except (AlreadyExistsError, PreconditionError):
            self._request(lambda: obstore.delete(client, path), patience=0.0)

    def put(self, path: str, content: bytes) -> None:
        self._request(lambda: obstore.put(self._store, path, content, use_multipart=False))

    def put_new(self, path: str, content: bytes) -> bool:
        try:
            self._request(lambda: obstore.put(self._store, path, content, mode="create", use_multipart=False))
        except (AlreadyExistsError, PreconditionError):
            return self._holds(path, content)
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        try:
            current, version = self._request(lambda: self._versioned(path))
            if current != old:
                return False
            self._request(lambda: obstore.put(self._store, path, new, mode=version, use_multipart=False))
        except (PreconditionError, AlreadyExistsError, FileNotFoundError):
            return self._holds(path, new)
        return True

    def remove(self, path: str, old: bytes) -> bool:
        """Delete an object if its content is still `old`.

        The deletion itself is unconditional, because `obstore` has no conditional one; it follows right after the
        comparison.
        The caller must ensure first that no other process replaces the object.

        Args:
            path: Path relative to the lake.
            old: The content to compare with.

        Returns:
            Whether the object was deleted.
        """
        if not self._holds(path, old):
            return False
        self.delete(path)
        return True

    def exists(self, path: str) -> bool:
        try:
            self._request(lambda: obstore.head(self._store, path))
        except FileNotFoundError:
            return False
        return True

    def delete(self, *paths: str) -> None:
        try:
            self._request(lambda: obstore.delete(self._store, list(paths)))
        except FileNotFoundError:  # Google's store stops at the first one that does not exist
            self.delete(*(path for path in paths if self.exists(path)))

    def _versioned(self, path: str) -> "tuple[bytes, UpdateVersion]":
        found = obstore.get(self._store, path)
        version: UpdateVersion = {"e_tag": found.meta["e_tag"]}
        if found.meta["version"]:  # Google's stores need it
            version["version"] = found.meta["version"]
        return bytes(found.bytes()), version

    def _holds(self, path: str, content: bytes) -> bool:
        try:
            return self.read(path) == content
        except FileNotFoundError:
            return False
