"""A lake in a bucket: `s3://` and `gs://`, with credentials and endpoint only from the environment."""

import io
import os
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import GCSStore, S3Store

from skewbench.storage.location import LakeError, LakeUnreachable

PATIENCE = "SKEWBENCH_PATIENCE"
"""Environment variable: seconds to retry while a store does not answer, before work is given up."""
_PATIENCE = 300.0
_CONCURRENT_READS = 16
_WORD = re.compile(r"[A-Za-z0-9_.=+@~-]+")
_TRANSIENT = re.compile(r"HTTP error|status code: (5\d\d|408|409|429)")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_CREDENTIALS = {
    "s3": (
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE",),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        ("AWS_METADATA_ENDPOINT",),
        ("AWS_SKIP_SIGNATURE",),
    ),
    "gs": (
        ("GOOGLE_APPLICATION_CREDENTIALS",),
        ("GOOGLE_SERVICE_ACCOUNT",),
        ("GOOGLE_SERVICE_ACCOUNT_PATH",),
        ("GOOGLE_SERVICE_ACCOUNT_KEY",),
        ("GOOGLE_BEARER_TOKEN",),
        ("GCE_METADATA_HOST",),
        ("GOOGLE_SKIP_SIGNATURE",),
    ),
}
"""Environment variables with credentials: all of one line are needed. Profile files and instance roles are not read."""
_ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"), "gs": ("GOOGLE_BASE_URL",)}

T = TypeVar("T")


class Bucket:
    """A lake under a prefix of a bucket, read-only.

    Args:
        url: `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`.

    Raises:
        LakeError: Another URL, or no credentials in the environment.
    """

    def __init__(self, url: str) -> None:
        self.scheme, self.bucket, self.prefix = parse(url)
        self.lake = f"{self.scheme}://{'/'.join(part for part in (self.bucket, self.prefix) if part)}"
        """The URL, which opens this lake wherever the environment has credentials."""
        _check_credentials(self.lake, self.scheme)
        self._patience = _patience()
        self._store = self._client(retries=3, connect=5)

    def address(self, path: str) -> str:
        return f"{self.lake}/{path}"

    def read(self, path: str) -> bytes:
        return self._request(lambda: bytes(obstore.get(self._store, path).bytes()))

    def read_all(self, paths: Iterable[str]) -> list[bytes]:
        """Read many objects, several at a time, in their order.

        Args:
            paths: Paths relative to the lake.

        Returns:
            The contents, in the order of the paths.

        Raises:
            FileNotFoundError: One of the objects does not exist.
        """
        with ThreadPoolExecutor(_CONCURRENT_READS) as several:
            return list(several.map(self.read, paths))

    def open(self, path: str, size: int | None = None) -> BinaryIO:
        """Open an object, to read ranges of it.

        Args:
            path: The object.
            size: Its size in bytes, if known; finding out takes a request.

        Raises:
            FileNotFoundError: It does not exist.
        """
        known = self._request(lambda: obstore.head(self._store, path)["size"]) if size is None else size
        return cast(BinaryIO, _Object(lambda start, end: self._range(path, start, end), known))

    def list(self, folder: str) -> list[str]:
        return self._request(
            lambda: sorted(meta["path"] for page in obstore.list(self._store, folder or None) for meta in page)
        )

    def is_inside(self, path: str) -> bool:
        """Return True: a bucket has no links.

        Args:
            path: Path relative to the lake.
        """
        return True

    def check_reachable(self) -> None:
        """Send one request without retries. Raises `LakeError` for no answer, no such bucket or wrong keys."""
        client = self._client(retries=1, connect=3)
        self._request(lambda: next(iter(obstore.list(client, "_runs", chunk_size=1)), None), patience=0.0)

    def endpoint(self) -> str:
        """The endpoint that answers for this bucket: its URL from the environment, or the name of the cloud."""
        named = next((os.environ[name] for name in _ENDPOINTS[self.scheme] if os.environ.get(name)), None)
        if named is None:
            return {"s3": "AWS", "gs": "Google"}[self.scheme]
        parts = urlsplit(named)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def _client(self, retries: int, connect: float) -> "S3Store | GCSStore":
        kind: Any = S3Store if self.scheme == "s3" else GCSStore
        return cast(
            "S3Store | GCSStore",
            kind(
                self.bucket,
                prefix=self.prefix or None,
                client_options={
                    "allow_http": self.endpoint().startswith("http://"),
                    "connect_timeout": timedelta(seconds=connect),
                    "timeout": timedelta(seconds=300),  # to send or fetch a whole part
                },
                retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=30)},
            ),
        )

    def _range(self, path: str, start: int, end: int) -> bytes:
        return self._request(lambda: bytes(obstore.get_range(self._store, path, start=start, end=end)))

    def _request(self, operation: Callable[[], T], patience: float | None = None) -> T:
        """Run an operation, and retry it while the store does not answer. A refusal is raised at once."""
        until = time.monotonic() + (self._patience if patience is None else patience)
        pause = 0.5
        while True:
            try:
                return operation()
            except (BaseError, FileNotFoundError) as error:
                failure = self._as_lake_error(error)
                if failure is None and isinstance(error, FileNotFoundError):
                    raise FileNotFoundError(f"no such object in {self.lake}") from None
                if failure is None:
                    raise
                left = until - time.monotonic()
                if not isinstance(failure, LakeUnreachable) or left <= 0:
                    raise failure from None
                time.sleep(min(pause, left))
                pause = min(2 * pause, 10.0)

    def _as_lake_error(self, error: BaseError | FileNotFoundError) -> LakeError | None:
        """The store's error in one line, without URLs, which could be signed, and without the store's own text.

        None for errors that callers handle: an object is missing or exists already.
        """
        text = str(error).partition("\n\nDebug source")[0]
        code = (re.findall(r"<Code>(\w+)</Code>|\(code: (\w+)\)", text) or [("", "")])[0]
        reason = code[0] or code[1]
        if reason == "NoSuchBucket":
            return LakeError(f"lake {self.lake!r}: there is no bucket {self.bucket!r} at {self.endpoint()}")
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
        if refused or "status code: 403" in text or "status code: 401" in text or reason == "AccessDenied":
            return LakeError(f"lake {self.lake!r}: {self.endpoint()} denies access ({reason or 'no reason given'})")
        if type(error) is not obstore.exceptions.GenericError:
            return None
        last = re.sub(r"https?://\S+", "", text.splitlines()[0]).rpartition(" - ")[2]
        detail = reason or " ".join(last.replace("Server returned non-2xx status code: ", "").split())[:120].rstrip(":")
        if _TRANSIENT.search(text):
            return LakeUnreachable(f"lake {self.lake!r}: {self.endpoint()} does not answer ({detail})")
        return LakeError(f"lake {self.lake!r}: {self.endpoint()} answers {detail!r}")


class _Object(io.RawIOBase):
    """An object as a file. Each read requests the bytes that it returns.

    `obstore.open_reader` can retry for as long, but raises a bare OSError with the URL in it, where readers need to
    know whether the store did not answer or refused.
    """

    def __init__(self, get: Callable[[int, int], bytes], size: int) -> None:
        self._get, self._size, self._at = get, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        content = self._get(self._at, end) if end > self._at else b""
        self._at += len(content)
        return content

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def parse(url: str) -> tuple[str, str, str]:
    """Parse a lake's URL.

    Args:
        url: `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`.

    Returns:
        Scheme, bucket and prefix.

    Raises:
        LakeError: Another URL. The message never contains a password.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in _CREDENTIALS:
        raise LakeError(f"lake {scheme + '://…'!r}: use a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket or "?" in rest:
        raise LakeError(f"lake {scheme + '://…'!r}: credentials and settings belong in the environment, not in the URL")
    if not _BUCKET.fullmatch(bucket):
        raise LakeError(f"lake {url!r}: {bucket!r} is not a valid bucket name")
    words = prefix.strip("/").split("/") if prefix.strip("/") else []
    for word in words:
        if word in (".", "..") or not _WORD.fullmatch(word):
            raise LakeError(f"lake {url!r}: {word!r} is not allowed in a prefix; use letters, digits and _.=+@~-")
    return scheme, bucket, "/".join(words)


def _check_credentials(lake: str, scheme: str) -> None:
    lines = _CREDENTIALS[scheme]
    if any(all(os.environ.get(name) for name in line) for line in lines):
        return
    raise LakeError(f"lake {lake!r}: no credentials in the environment; set {' and '.join(lines[0])}")


def _patience() -> float:
    given = os.environ.get(PATIENCE, str(_PATIENCE))
    try:
        return float(given)
    except ValueError:
        raise LakeError(f"{PATIENCE} {given!r}: must be a number of seconds") from None
