"""The address of a Ray cluster: whether it is one, and whether anybody answers there. Light to import: Ray is not."""

import socket

from skewbench.vocabulary.errors import InputError

KNOCK = 10.0
"""Seconds that a cluster has to answer."""


def check_reachable(address: str) -> None:
    """Raises `InputError` where nobody answers. Ray itself tries for minutes, and then ends the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not (colon and port.isdigit()):
        raise InputError(f"ray address {address!r}: HOST:PORT, ray://HOST:PORT or auto is wanted")
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"ray address {address!r}: no cluster answers there ({error})") from None
