"""Handles the loss of the Prefect server during a run: workers continue without it, because they need only the lake."""

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import httpx

T = TypeVar("T")
_lost = threading.Event()
_marking = threading.Lock()


def is_lost() -> bool:
    """Return whether this process has lost its Prefect server."""
    return _lost.is_set()


def call_server(request: Callable[[], T]) -> T | None:
    """Send the Prefect server something that only the UI needs.

    If the server does not answer a request, despite the retries of Prefect's client, later requests are skipped: each
    would wait as long.

    Args:
        request: Sends the request.

    Returns:
        Its result; None without a server.
    """
    if is_lost():
        return None
    try:
        return request()
    except httpx.TransportError as error:
        if mark_lost():
            reason = f"{type(error).__name__}: {error}"
            print(f"note: the Prefect server does not answer ({reason}); the workers go on without it", file=sys.stderr)
        return None


def mark_lost() -> bool:
    """Remember that the server does not answer. Returns whether this is news."""
    with _marking:
        if _lost.is_set():
            return False
        _lost.set()
    return True
