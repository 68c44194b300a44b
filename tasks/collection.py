"""Python's garbage collector during imports."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Within the block, Python's garbage collector rests.

    Importing torch and diffusers makes half a million objects, most of which stay. The collector would go through them
    again and again, for a sixth of the time of these imports.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
