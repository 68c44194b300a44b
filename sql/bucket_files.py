"""A Python file system over the parts of a lake in a bucket, for DuckDB's own Parquet reader."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem

from skewbench.storage.bucket import Bucket
from skewbench.storage.location import LakeError


class BucketFiles(AbstractFileSystem):
    """The parts of a lake, read-only. DuckDB opens them by the URLs in our views, and caches what it read."""

    cachable = False

    def __init__(self, place: Bucket, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.protocol = place.scheme
        self._place, self._sizes = place, {place.address(path): size for path, size in sizes.items()}

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path]

    def exists(self, path: str, **_: Any) -> bool:
        return path in self._sizes

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": self._size(path), "type": "file"}

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(0, UTC)

    def open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        if mode != "rb":
            raise LakeError(f"{path!r}: the lake is read-only")
        return self._place.open(path.removeprefix(f"{self._place.lake}/"), self._size(path))

    def _size(self, path: str) -> int:
        if path not in self._sizes:
            raise LakeError(f"{path!r} is not a part that a manifest names")
        return self._sizes[path]
