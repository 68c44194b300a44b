"""Processes that end with the one that they depend on, however that ends."""

import os
import signal
import threading
import time

GRACE = 5.0
"""Seconds within which to end after the other process."""


def end_with(descriptor: int, grace: float = GRACE) -> None:
    """End this process when a pipe closes. The other process keeps the pipe open as long as it lives.

    Args:
        descriptor: the end to read.
        grace: seconds between SIGTERM and the end of this process.
    """
    threading.Thread(target=_wait, args=(descriptor, grace), daemon=True).start()


def _wait(descriptor: int, grace: float) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os._exit(1)
