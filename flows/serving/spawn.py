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
    """Yield a listening socket, with which a server is then started.

    The port is taken from here on: nobody else can take it before the server does and be given the password.

    Args:
        host: Name or address to listen on.
        port: Port; 0: any free one.

    Raises:
        InputError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # only ::, without IPv4
        try:
            listening.bind((host, port))
            listening.listen()
        except OSError as error:
            raise InputError(f"cannot listen at {host}, port {port}: {error.strerror}; use another --port") from None
        yield listening


def app_command(listening: socket.socket, host: str) -> list[str]:
    """Return the command line of a server that answers at a socket.

    Args:
        listening: A listening socket, which the server must inherit.
        host: Address on which it listens.
    """
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
    """Return settings of a server that answers only clients with the password, and no pages of other origins.

    Origins that the user allows in Prefect's own setting stay allowed.

    Args:
        secret: `NAME:PASSWORD` of the server.

    Returns:
        Environment variables.
    """
    origins = os.environ.get(_ORIGINS, "")
    return {password.SERVER: secret, _ORIGINS: origins, "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true"}


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Yield the ends of a pipe for reading and for writing; both are closed after the block."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as read, os.fdopen(writing, "wb", 0) as write:
        yield read, write


def background(
    command: list[str], environment: dict[str, str], name: str, keep: Sequence[int], umask: int = -1
) -> "subprocess.Popen[bytes]":
    """Start a process that outlives this one and logs to `log_path(name)`.

    Args:
        command: The program and its arguments.
        environment: All of its environment variables.
        name: Name of the log.
        keep: File descriptors that it inherits.
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
    """Wait until a server answers.

    Args:
        server: Process of the server.
        api: Address of its API.
        log: Name of its log, for the error message; None if it has none.

    Raises:
        RunError: The server ended, or did not answer within `START` seconds.
    """
    began = time.monotonic()
    while not state.answers(api):
        if server.poll() is not None:
            raise RunError(f"the Prefect server failed to start: {last_lines(log) if log else server.returncode}")
        if time.monotonic() - began > START:
            raise RunError(f"the Prefect server does not answer at {api} after {START:.0f} s")
        time.sleep(0.2)


def log_path(name: str) -> Path:
    """Return the path of a log.

    Args:
        name: `server` or `deployments`.
    """
    return state.prefect_home() / f"skewbench-{name}.log"


def last_lines(name: str) -> str:
    """Return the last lines of a log, or its path if it is empty.

    Args:
        name: `server` or `deployments`.
    """
    lines = log_path(name).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LAST:]) or f"see {log_path(name)}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
