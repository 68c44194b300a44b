"""Serves the rating page on loopback until Ctrl-C, SIGTERM or SIGHUP."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Server(uvicorn.Server):
    """A server that ends at a signal and leaves the rest to its caller. uvicorn's own would raise the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def link(port: int, secret: str) -> str:
    """Return the link that opens the page. The password stands behind `#`, so it is in no request and no log.

    Args:
        port: Port of the server.
        secret: `NAME:PASSWORD` of the server.
    """
    return f"http://{HOST}:{port}/#{quote(secret)}"


def serve(app: "ASGIApp", listening: socket.socket) -> None:
    """Serve until a signal. Requests that have begun, such as votes, are completed.

    Args:
        app: The application.
        listening: A socket that listens on `HOST`.
    """
    settings: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False, "lifespan": "off"}
    _Server(uvicorn.Config(app, timeout_graceful_shutdown=10, **settings)).run(sockets=[listening])
