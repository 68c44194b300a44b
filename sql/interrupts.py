"""Lets Ctrl-C or a time limit interrupt a statement, and keeps its connection usable."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


@contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection, seconds: float | None = None) -> Iterator[None]:
    """Interrupt the work of a connection in the block, at Ctrl-C or after a time.

    Python's own handler would raise `RuntimeError` and leave the statement running, which blocks the next one.

    Args:
        connection: The connection.
        seconds: Time limit; None: no limit.

    Raises:
        ValueError: The time limit was reached.
        KeyboardInterrupt: The user interrupted.
    """
    pressed, late = threading.Event(), threading.Event()

    def interrupt(reason: threading.Event) -> None:
        reason.set()
        connection.interrupt()

    timer = threading.Timer(seconds, interrupt, [late]) if seconds else None
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, lambda *_: interrupt(pressed)) if is_main else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if late.is_set():
            raise ValueError(f"the statement was ended after {seconds:g} s") from error
        raise
    finally:
        if timer:
            timer.cancel()
        if is_main:
            signal.signal(signal.SIGINT, before)
        if pressed.is_set():
            raise KeyboardInterrupt
