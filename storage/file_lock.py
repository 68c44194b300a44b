"""Locks a file between processes. The lock ends with the process that holds it."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skewbench.storage.location import LakeUnreachable
from skewbench.vocabulary.errors import InputError


@contextmanager
def locked(path: Path, lake: str, patience: float) -> Iterator[None]:
    """Hold the lock of a file within the block.

    Args:
        path: The file, which is created if it does not exist. Its folder must exist.
        lake: The lake, for the error message.
        patience: Seconds to wait for another process.

    Raises:
        InputError: The file is a link: a lake may come from anybody.
        LakeUnreachable: Another process holds the lock for longer than that.
    """
    until = time.monotonic() + patience
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"lake {lake!r}: {path} is a link, which skewbench does not follow; delete it") from None
        raise
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise LakeUnreachable(
                        f"lake {lake!r}: another process has held {path} for {patience:.0f} s; "
                        "resume that process or end it"
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)
