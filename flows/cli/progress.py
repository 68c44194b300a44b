"""A run's progress on the terminal, read off the lake's receipts: right for workers anywhere, and after a resume."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from skewbench.vocabulary.errors import RunError

if TYPE_CHECKING:
    from skewbench.storage.store import Store
    from skewbench.tasks.run import Run

INTERVAL = 0.5
"""Seconds between two looks."""
_INTERVAL_OF_BUCKETS = 3.0
_NAMES = {"generation": "generating", "scores": "scoring", "scored": "scoring"}


@contextmanager
def prefect_server(console: Console) -> Iterator[None]:
    """A Prefect server for flows to tell their states to: the one that runs, or one for as long as the block does.

    Raises `RunError` at Ctrl-C, which Typer would turn into a silent exit, and where the server goes away meanwhile.
    """
    with ExitStack() as kept:
        with console.status("starting Prefect and Ray"):
            from skewbench.flows.serving.client import server_for_a_command

            _interruptible()
            kept.enter_context(server_for_a_command())
        import httpx
        from prefect.settings import get_current_settings

        from skewbench.flows.serving.state import answers

        try:
            yield
        except KeyboardInterrupt:
            raise RunError("stopped; run the same command again to resume") from None
        except (httpx.TransportError, RuntimeError):  # the latter: Prefect's own, where it cannot reach its server
            if answers(get_current_settings().api.url or ""):
                raise
            raise RunError("the Prefect server went away; run the same command again to resume") from None


def _interruptible() -> None:
    """Polars' handler of Ctrl-C lets what waits go on waiting (SA_RESTART): a run would end its work first."""
    import polars  # noqa: F401  (which sets it, so first)

    if threading.current_thread() is threading.main_thread():
        signal.siginterrupt(signal.SIGINT, True)


@contextmanager
def receipts_shown(console: Console, store: "Store", run_id: str, totals: dict[str, int]) -> Iterator[None]:
    """Show a bar of receipts for each kind that `count_receipts` tells apart while the block runs."""
    from skewbench.sql import LakeError
    from skewbench.storage.parts import count_receipts

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    done = threading.Event()
    with Progress(*columns, console=console) as progress:
        bars = {kind: progress.add_task(_NAMES[kind], total=total) for kind, total in totals.items()}

        def look() -> None:
            try:
                counts = count_receipts(store, run_id)
            except LakeError:  # the run itself tells what is wrong with its lake
                return
            for kind, bar in bars.items():
                progress.update(bar, completed=counts[kind])

        def keep_looking() -> None:
            while not done.wait(_INTERVAL_OF_BUCKETS if "://" in store.lake else INTERVAL):
                look()

        watcher = threading.Thread(target=keep_looking, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            look()


def receipts_of(run: "Run") -> dict[str, int]:
    """How many receipts of each kind a run has when it is done."""
    shards, cells = len(run.shards), len(run.experiment.cells)
    return {"generation": shards, "scored": scorings(run.experiment.metrics, shards, cells)}


def scorings(metrics: Iterable[str], shards: int, cells: int, known: Iterable[dict[str, Any]] = ()) -> int:
    """Number of jobs that score a run. `known`: what its manifest knows of its metrics: a scorer may not be here."""
    from skewbench.eval.scorers import declaration, names

    of_cells = {name for name in names() if declaration(name).unit == "cell"}
    of_cells |= {metric["scorer"] for metric in known if metric["unit"] == "cell"}
    return sum(cells if name in of_cells else shards for name in metrics)


def tell_missing(store: "Store", run_id: str) -> None:
    """Print the metrics that a run has nowhere, each with the reason, those of one reason in a line."""
    from skewbench.storage.manifest import read_manifest

    manifest = read_manifest(store, run_id)
    by_reason: dict[str, list[str]] = {}
    for missing in manifest.missing_metrics if manifest else []:
        by_reason.setdefault(missing["reason"], []).append(missing["metric"])
    for reason, metrics in by_reason.items():
        typer.echo(f"no {', '.join(metrics)}: {reason}")


def tell_report(store: "Store", run_id: str) -> None:
    """Print where the report lies, and, where no browser gets at it, how to have it here."""
    from skewbench.storage.manifest import report_path

    typer.echo(f"report: {store.address(report_path(run_id))}")
    if "://" in store.lake:
        typer.echo(f"to open it: skewbench report {run_id} --lake {store.lake}")
