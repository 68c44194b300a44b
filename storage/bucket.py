"""A lake in a bucket: `s3://` and `gs://`, with credentials and endpoint from the environment alone."""

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

from skewbench.storage.place import LakeError, LakeUnreachable

PATIENCE = "SKEWBENCH_PATIENCE"
"""Variable: seconds for which a store that does not answer is asked again, before work is given up."""
_PATIENCE = 300.0
_AT_ONCE = 16
_WORD = re.compile(r"[A-Za-z0-9_.=+@~-]+")
_PASSING = re.compile(r"HTTP error|status code: (5\d\d|408|409|429)")
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
"""Variables that say who asks; all of one line. Files of a profile and a machine's own role are not looked for."""
_ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"), "gs": ("GOOGLE_BASE_URL",)}

T = TypeVar("T")


class Bucket:
    """A prefix of a bucket. Raises `LakeError` for a URL that is none, and where the environment has no credentials."""

    def __init__(self, url: str) -> None:
        self.scheme, self.bucket, self.prefix = parse(url)
        self.lake = f"{self.scheme}://{'/'.join(part for part in (self.bucket, self.prefix) if part)}"
        """What opens this lake again, wherever the environment has credentials."""
        _check_credentials(self.lake, self.scheme)
        self._patience = _patience()
        self._store = self._client(retries=3, connect=5)

    def address(self, path: str) -> str:
        """The URL of an object."""
        return f"{self.lake}/{path}"

    def read(self, path: str) -> bytes:
        """An object's bytes. Raises `FileNotFoundError`."""
        return self._ask(lambda: bytes(obstore.get(self._store, path).bytes()))

    def read_all(self, paths: Iterable[str]) -> list[bytes]:
        """The bytes of many objects, some at a time, in their order. Raises `FileNotFoundError`."""
        with ThreadPoolExecutor(_AT_ONCE) as several:
            return list(several.map(self.read, paths))

    def open(self, path: str, size: int | None = None) -> BinaryIO:
        """An object to read parts of. Raises `FileNotFoundError`. `size` where it is known: to ask is a request."""
        known = self._ask(lambda: obstore.head(self._store, path)["size"]) if size is None else size
        return cast(BinaryIO, _Object(lambda start, end: self._range(path, start, end), known))

    def list(self, folder: str) -> list[str]:
        """Paths of the objects in a folder and below it, sorted."""
        return self._ask(
            lambda: sorted(meta["path"] for page in obstore.list(self._store, folder or None) for meta in page)
        )

    def check_reachable(self) -> None:
        """Ask once, briefly. Raises `LakeError` where nobody answers, or not to us: no bucket, wrong keys."""
        client = self._client(retries=1, connect=3)
        self._ask(lambda: next(iter(obstore.list(client, "_runs", chunk_size=1)), None), patience=0.0)

    def endpoint(self) -> str:
        """Who answers for this bucket: host and port of the endpoint that the environment names, or the cloud."""
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
                    "timeout": timedelta(seconds=300),  # of a whole part, up or down
                },
                retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=30)},
            ),
        )

    def _range(self, path: str, start: int, end: int) -> bytes:
        return self._ask(lambda: bytes(obstore.get_range(self._store, path, start=start, end=end)))

    def _ask(self, question: Callable[[], T], patience: float | None = None) -> T:
        """Ask, and again while the store does not answer. What it refuses is an error at once."""
        until = time.monotonic() + (self._patience if patience is None else patience)
        pause = 0.5
        while True:
            try:
                return question()
            except (BaseError, FileNotFoundError) as error:
                failure = self._told(error)
                if failure is None and isinstance(error, FileNotFoundError):
                    raise FileNotFoundError(f"no such object in {self.lake}") from None
                if failure is None:
                    raise
                left = until - time.monotonic()
                if not isinstance(failure, LakeUnreachable) or left <= 0:
                    raise failure from None
                time.sleep(min(pause, left))
                pause = min(2 * pause, 10.0)

    def _told(self, error: BaseError | FileNotFoundError) -> LakeError | None:
        """The store's error in a line without URLs, which could be signed, and without the store's own words.

        None for what callers ask about: an object that is missing, or there already.
        """
        text = str(error).partition("\n\nDebug source")[0]
        code = (re.findall(r"<Code>(\w+)</Code>|\(code: (\w+)\)", text) or [("", "")])[0]
        why = code[0] or code[1]
        if why == "NoSuchBucket":
            return LakeError(f"lake {self.lake!r}: there is no bucket {self.bucket!r} at {self.endpoint()}")
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
        if refused or "status code: 403" in text or "status code: 401" in text or why == "AccessDenied":
            return LakeError(f"lake {self.lake!r}: {self.endpoint()} denies access ({why or 'no reason given'})")
        if type(error) is not obstore.exceptions.GenericError:
            return None
        last = re.sub(r"https?://\S+", "", text.splitlines()[0]).rpartition(" - ")[2]
        told = why or " ".join(last.replace("Server returned non-2xx status code: ", "").split())[:120].rstrip(":")
        if _PASSING.search(text):
            return LakeUnreachable(f"lake {self.lake!r}: {self.endpoint()} does not answer ({told})")
        return LakeError(f"lake {self.lake!r}: {self.endpoint()} answers {told!r}")


class _Object(io.RawIOBase):
    """An object as a file: each read asks for the bytes it wants."""

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
    """Scheme, bucket and prefix of a lake's URL. Raises `LakeError`; what it says never holds a password."""
    scheme, _, rest = url.partition("://")
    if scheme not in _CREDENTIALS:
        raise LakeError(f"lake {scheme + '://…'!r}: a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX is wanted")
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket or "?" in rest:
        raise LakeError(f"lake {scheme + '://…'!r}: credentials and settings come from the environment, not in the URL")
    if not _BUCKET.fullmatch(bucket):
        raise LakeError(f"lake {url!r}: {bucket!r} is no name of a bucket")
    words = prefix.strip("/").split("/") if prefix.strip("/") else []
    for word in words:
        if word in (".", "..") or not _WORD.fullmatch(word):
            raise LakeError(f"lake {url!r}: in a prefix {word!r} is not allowed; letters, digits and _.=+@~- are")
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
        raise LakeError(f"{PATIENCE} {given!r}: a number of seconds is wanted") from None
