"""Checks the address of a Ray cluster without importing Ray, which is slow."""

import socket

from skewbench.vocabulary.errors import InputError

CONNECT_SECONDS = 10.0
"""Seconds within which a cluster must answer."""


def check_reachable(address: str) -> None:
    """Raises `InputError` where nobody answers. Ray itself tries for minutes, and then ends the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not (colon and port.isdigit()):
        raise InputError(f"ray address {address!r}: not an address; use HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"ray address {address!r}: no cluster answers at this address ({error})") from None
