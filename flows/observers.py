"""Observers of flows that a command runs in its own process: functions that are called while a block runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def registered(observers: list[Callable[[T], None]], observe: Callable[[T], None]) -> Iterator[None]:
    """Within the block, register an observer that a flow calls.

    Args:
        observers: The observers that the flow calls.
        observe: The observer.
    """
    observers.append(observe)
    try:
        yield
    finally:
        observers.remove(observe)
