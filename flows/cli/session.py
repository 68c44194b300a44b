"""The surroundings of a command that runs workers: Prefect, Ray, and Ctrl-C."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from rich.console import Console

from skewbench.flows.cli.tables import note
from skewbench.vocabulary.errors import RunError


@contextmanager
def _quiet_logging() -> Iterator[None]:
    """Within the block, Prefect prints no errors for log batches that it cannot send to its server.

    If the server is lost, this also holds after the block: batches wait until the process ends.
    """
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        from skewbench.flows.server_loss import is_lost

        if not is_lost():
            logging.raiseExceptions = before


class ServerLostError(RunError):
    """The Prefect server was lost before the end of the run reached it. The lake may have the complete run."""


@contextmanager
def prefect_and_ray(console: Console, ray_address: str | None) -> Iterator[None]:
    """Provide Prefect and Ray within the block: the running Prefect server, or a temporary one.

    Ray starts while the server starts, and may still be starting in the block (`tasks.pool.ray_starting`).

    Args:
        console: The console that shows the progress of the start.
        ray_address: Address of a Ray cluster; empty: a local Ray; None: no workers are needed.

    Raises:
        RunError: The user pressed Ctrl-C.
        ServerLostError: The server ended.
    """
    with ExitStack() as kept:
        with console.status("starting Prefect and Ray" if ray_address is not None else "starting Prefect"):
            from skewbench.flows.serving.client import server_for_a_command

            kept.enter_context(stoppable())
            if ray_address is not None:
                from skewbench.tasks.pool import ray_starting

                kept.enter_context(ray_starting(ray_address or None))
            kept.enter_context(server_for_a_command())
            kept.enter_context(_quiet_logging())
        import httpx
        from prefect.settings import get_current_settings

        from skewbench.flows.server_loss import mark_lost
        from skewbench.flows.serving.state import answers

        try:
            yield
        except (httpx.TransportError, RuntimeError):  # Prefect raises the latter if it cannot reach its server
            if answers(get_current_settings().api.url or ""):
                raise
            mark_lost()
            raise ServerLostError("lost the Prefect server; run the same command again to resume") from None


class Stopped(RunError):
    """The user pressed Ctrl-C."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block, Ctrl-C raises `Stopped`, and a second one ends the process at once.

    Typer would turn the first Ctrl-C into a silent exit. The handler of Polars restarts blocking calls (SA_RESTART), so
    a run would finish its work first; this function undoes that.
    """
    import polars  # noqa: F401  (which sets it, so first)

    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, _stop)
        signal.siginterrupt(signal.SIGINT, True)
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped("stopped; run the same command again to resume") from None
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _stop(number: int, frame: FrameType | None) -> None:
    """Handle the first Ctrl-C: print a note at once, because workers take seconds to end."""
    signal.signal(signal.SIGINT, _kill)
    note("stopping; press Ctrl-C again to kill")
    raise KeyboardInterrupt


def _kill(number: int, frame: FrameType | None) -> None:
    os._exit(128 + signal.SIGINT)
