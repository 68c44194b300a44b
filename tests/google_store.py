"""A bucket on loopback that speaks what the lake uses of Google Cloud Storage's XML interface, as Google publishes it.

It is ours, not Google's: it stands in for the clouds' in tests of what is asked (paths, conditions on generations,
listing in pages, ranges) and of what is made of the answers. Nothing is signed and nothing lasts.
"""

import json
import re
import threading
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "lakes"
PAGE = 20
"""Objects that a listing gives at once; Google's gives 1,000. So pages are turned in tests."""


@dataclass(frozen=True)
class Stored:
    """An object: its bytes, and the number that each write of it changes."""

    content: bytes
    generation: int

    @property
    def tag(self) -> str:
        return f'"{md5(self.content, usedforsecurity=False).hexdigest()}"'


class GoogleStore:
    """The server. `environment` is what a process needs to reach it."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.lock = threading.Lock()
        self.generations = count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which all may be done."""
        key = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
        url = f"http://127.0.0.1:{self._server.server_port}"
        return {"GOOGLE_BASE_URL": url, "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key)}

    def lake(self, name: str) -> str:
        """URL of a lake in the bucket."""
        return f"gs://{BUCKET}/{name}"

    def __enter__(self) -> "GoogleStore":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    store: GoogleStore
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: two wait for each other, 40 ms a request

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = self.headers["x-goog-if-generation-match"]
        with self.store.lock:
            there = self.store.objects.get(self._key)
            if wanted is not None and int(wanted) != (there.generation if there else 0):
                return self._refuse(412, "PreconditionFailed")
            new = self.store.objects[self._key] = Stored(content, next(self.store.generations))
        return self._answer(200, b"", new)

    def do_GET(self) -> None:
        if not self._key:
            return self._list()
        there = self.store.objects.get(self._key)
        if there is None:
            return self._refuse(404, "NoSuchKey")
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if asked is None:
            return self._answer(200, there.content, there)
        first, last = int(asked[1]), min(int(asked[2] or len(there.content)), len(there.content) - 1)
        span = {"Content-Range": f"bytes {first}-{last}/{len(there.content)}"}
        return self._answer(206, there.content[first : last + 1], there, span)

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        with self.store.lock:
            there = self.store.objects.pop(self._key, None)
        return self._answer(204, b"") if there else self._refuse(404, "NoSuchKey")

    def _list(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if self._bucket != BUCKET:
            return self._refuse(404, "NoSuchBucket")
        after = asked.get("continuation-token", asked.get("start-after", ""))
        found = sorted(key for key in list(self.store.objects) if key.startswith(asked.get("prefix", "")))
        left = [key for key in found if key > after]
        page = left[: min(PAGE, int(asked.get("max-keys", PAGE)))]
        rows = "".join(self._row(key, self.store.objects[key]) for key in page)
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if len(left) > len(page) else ""
        listing = (
            f"<ListBucketResult>{more}<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{rows}</ListBucketResult>"
        )
        return self._answer(200, listing.encode())

    def _row(self, key: str, there: Stored) -> str:
        fields = {
            "Key": key,
            "LastModified": "2026-01-01T00:00:00.000Z",
            "ETag": there.tag,
            "Size": str(len(there.content)),
            "Generation": str(there.generation),
        }
        return f"<Contents>{''.join(f'<{name}>{escape(value)}</{name}>' for name, value in fields.items())}</Contents>"

    @property
    def _bucket(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[0]

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>".encode())

    def _answer(
        self, status: int, content: bytes, there: Stored | None = None, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", formatdate(usegmt=True))
        if there:
            self.send_header("ETag", there.tag)
            self.send_header("x-goog-generation", str(there.generation))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
