"""Locks a file between processes. The lock ends with the process that holds it."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skewbench.storage.location import LakeUnreachable


@contextmanager
def locked(path: Path, lake: str, patience: float) -> Iterator[None]:
    """Hold the lock of a file within the block.

    Args:
        path: The file, which is created if it does not exist. Its folder must exist.
        lake: The lake, for the error message.
        patience: Seconds to wait for another process.

    Raises:
        LakeUnreachable: Another process holds the lock for longer than that.
    """
    until = time.monotonic() + patience
    with path.open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise LakeUnreachable(
                        f"lake {lake!r}: another process has held {path} for {patience:.0f} s; "
                        "resume that process or end it"
                    ) from None
                time.sleep(0.005)
        yield
