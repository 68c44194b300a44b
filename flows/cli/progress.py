"""Shows a run's progress on the terminal: jobs that were done before it started, and those that its workers finish."""

import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from skewbench.vocabulary.errors import RunError

if TYPE_CHECKING:
    from skewbench.storage.keys import JobKey, Kind
    from skewbench.storage.store import Store
    from skewbench.tasks.jobs import Outcome
    from skewbench.tasks.run import Run

_NAMES = {"generation": "generating", "scores": "scoring"}


@contextmanager
def _quiet_logging() -> Iterator[None]:
    """Within the block, Prefect prints no lines for batches of the log that it cannot send to its server."""
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = before


class ServerLostError(RunError):
    """The Prefect server went away before it knew the end of the run. The lake may have all of it."""


@contextmanager
def prefect_and_ray(console: Console, ray_address: str | None) -> Iterator[None]:
    """Within the block: a Prefect server that runs already, or one for as long as the block, and Ray.

    Ray starts while the server does, and may still be starting in the block (`tasks.pool.ray_starting`).

    Args:
        console: Where the wait is shown.
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


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block, Ctrl-C raises `RunError`; Typer would turn it into a silent exit.

    Polars' handler restarts blocking calls (SA_RESTART), and a run would finish its work first; this is undone.
    """
    import polars  # noqa: F401  (which sets it, so first)

    if threading.current_thread() is threading.main_thread():
        signal.siginterrupt(signal.SIGINT, True)
    try:
        yield
    except KeyboardInterrupt:
        raise RunError("stopped; run the same command again to resume") from None


@contextmanager
def progress_shown(
    console: Console, done: Iterable["JobKey"], totals: dict["Kind", int]
) -> Iterator[Callable[["Outcome"], None]]:
    """Show a bar for each kind of job while the block runs. Yields a function to call with each outcome.

    Args:
        console: Where the bars are shown.
        done: Keys of the jobs that are done already.
        totals: Number of jobs by kind. Attempts at a shard, and versions and references of a scorer, count once.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    keys = {(key.kind, key.shard, key.cell, key.scorer) for key in done}
    lock = threading.Lock()
    with Progress(*columns, console=console) as progress:
        bars = {kind: progress.add_task(_NAMES[kind], total=total) for kind, total in totals.items()}

        def count(outcome: "Outcome") -> None:
            if outcome.receipt is None:
                return
            key = outcome.receipt.key
            with lock:
                counted = (key.kind, key.shard, key.cell, key.scorer)
                if key.kind in bars and counted not in keys:
                    keys.add(counted)
                    progress.advance(bars[key.kind])

        for kind, bar in bars.items():
            progress.update(bar, completed=sum(key[0] == kind for key in keys))
        yield count


def totals_of(run: "Run") -> dict["Kind", int]:
    """Count the jobs of each kind that a run has when it is complete.

    Args:
        run: The run.
    """
    shards, cells = len(run.shards), len(run.experiment.cells)
    return {"generation": shards, "scores": scorings(run.experiment.metrics, shards, cells)}


def scorings(metrics: Iterable[str], shards: int, cells: int, known: Iterable[dict[str, Any]] = ()) -> int:
    """Count the jobs that score a run.

    Args:
        metrics: Names of scorers.
        shards: Number of shards of the run.
        cells: Number of cells of the run.
        known: Metrics in the run's manifest, for scorers that are not installed here.

    Returns:
        One job per shard, or per cell for a scorer of whole cells.
    """
    from skewbench.eval.scorers import declaration, names

    of_cells = {name for name in names() if declaration(name).unit == "cell"}
    of_cells |= {metric["scorer"] for metric in known if metric["unit"] == "cell"}
    return sum(cells if name in of_cells else shards for name in metrics)


def tell_missing(store: "Store", run_id: str) -> None:
    """Print the metrics that a run lacks, one line per reason.

    Args:
        store: The lake.
        run_id: The run.
    """
    from skewbench.storage.manifest import read_manifest

    manifest = read_manifest(store, run_id)
    by_reason: dict[str, list[str]] = {}
    for missing in manifest.missing_metrics if manifest else []:
        by_reason.setdefault(missing["reason"], []).append(missing["metric"])
    for reason, metrics in by_reason.items():
        typer.echo(f"no {', '.join(metrics)}: {reason}")


def tell_report(store: "Store", run_id: str) -> None:
    """Print where the report is and, for a lake in a bucket, how to open it.

    Args:
        store: The lake.
        run_id: The run.
    """
    from skewbench.storage.manifest import report_path

    typer.echo(f"report: {store.address(report_path(run_id))}")
    if "://" in store.lake:
        typer.echo(f"open it with: skewbench report {run_id} --lake {store.lake}")
