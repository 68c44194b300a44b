"""Starting processes of a Prefect server: their sockets, settings and logs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from skewbench.flows.serving import password, state
from skewbench.vocabulary.errors import InputError, RunError

START = 240.0
"""Seconds that a server has to start, on a busy machine."""
END = 30.0
"""Seconds that a process has to end, before it is killed: flow runs are cancelled in them."""
_LAST = 15
_ORIGINS = "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"


@contextmanager
def listening_at(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, for a server to be started with. Raises `InputError`.

    The port is taken from here on: nobody else can take it before the server does, and be given the password.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # :: alone, without IPv4
        try:
            listening.bind((host, port))
            listening.listen()
        except OSError as error:
            raise InputError(f"--host {host} --port {port}: {error.strerror}; choose another with --port") from None
        yield listening


def app_command(listening: socket.socket, host: str) -> list[str]:
    """The command line of a server that answers at this socket, which it has to inherit."""
    return [
        sys.executable,
        "-P",
        "-m",
        "skewbench.flows.serving.app",
        "--host",
        host,
        "--socket",
        str(listening.fileno()),
    ]


def closed(secret: str) -> dict[str, str]:
    """Settings of a server that answers only clients with the password, and no pages of other origins.

    Origins that the user allows in Prefect's own setting stay allowed.
    """
    origins = os.environ.get(_ORIGINS, "")
    return {password.SERVER: secret, _ORIGINS: origins, "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true"}


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The end to read and the end to write of a pipe, which this process has open within the block at most."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as read, os.fdopen(writing, "wb", 0) as write:
        yield read, write


def background(
    command: list[str], environment: dict[str, str], name: str, keep: Sequence[int], umask: int = -1
) -> "subprocess.Popen[bytes]":
    """Start a process that outlives this one and logs to `log_path(name)`.

    Args:
        keep: descriptors that it inherits.
        umask: -1 keeps that of this process.
    """
    with open(log_path(name), "wb", opener=_private) as log:
        return subprocess.Popen(  # noqa: S603 our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=keep,
            umask=umask,
        )


def wait_for_api(server: "subprocess.Popen[bytes]", api: str, log: str | None) -> None:
    """Wait until a server answers. Raises `RunError`, with the end of the log of this name, if it does not."""
    began = time.monotonic()
    while not state.answers(api):
        if server.poll() is not None:
            raise RunError(f"the Prefect server failed to start: {last_lines(log) if log else server.returncode}")
        if time.monotonic() - began > START:
            raise RunError(f"the Prefect server does not answer at {api} after {START:.0f} s")
        time.sleep(0.2)


def log_path(name: str) -> Path:
    """Where the server or the deployments log."""
    return state.prefect_home() / f"skewbench-{name}.log"


def last_lines(name: str) -> str:
    """The end of a log, or where it is."""
    lines = log_path(name).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LAST:]) or f"see {log_path(name)}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
