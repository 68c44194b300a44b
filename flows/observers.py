"""What a command that runs a flow in its own process gets to see of it: functions to call while a block runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def registered(observers: list[Callable[[T], None]], observe: Callable[[T], None]) -> Iterator[None]:
    """Within the block, an observer is among those that a flow calls.

    Args:
        observers: The observers that the flow calls.
        observe: The observer.
    """
    observers.append(observe)
    try:
        yield
    finally:
        observers.remove(observe)
