"""Checks the address of a Ray cluster, or the folder of a local Ray, without the slow import of Ray."""

import os
import socket

from skewbench.vocabulary.errors import InputError

CONNECT_SECONDS = 10.0
"""Seconds within which a cluster must answer."""

_LONGEST_SOCKET = 107
"""Bytes of a socket's path, on Linux."""
_IN_SESSION = len("/ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store")


def temporary_folder() -> str:
    """Return the folder in which a local Ray keeps its sockets and logs, by Ray's own rule."""
    return os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 Ray's default


def check_temporary_folder() -> None:
    """Check that a local Ray can start.

    Raises:
        InputError: The paths of its sockets would be too long.
    """
    folder, longest = temporary_folder(), _LONGEST_SOCKET - _IN_SESSION
    if len(os.fsencode(folder)) > longest:
        named = "RAY_TMPDIR" if os.environ.get("RAY_TMPDIR") else "TMPDIR"
        raise InputError(
            f"{named} {folder!r}: too long for Ray, which puts its sockets there: {len(os.fsencode(folder))} "
            "bytes, and at "
            f"most {longest} work; set RAY_TMPDIR to a short folder, such as /tmp"
        )


def check_reachable(address: str) -> None:
    """Check that a cluster answers. Ray itself tries for minutes, and then ends the process.

    Args:
        address: `HOST:PORT`, `ray://HOST:PORT` or `auto`, which is not checked.

    Raises:
        InputError: No address, or nothing answers there.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not (colon and port.isdigit()):
        raise InputError(f"ray address {address!r}: not an address; use HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"ray address {address!r}: no cluster answers at this address ({error})") from None
