"""A run's progress on the terminal, read off the lake's receipts: right for workers anywhere, and after a resume."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tasks.lake.manifest import read_manifest
from tasks.lake.parts import count_receipts
from tasks.lake.store import LocalStore

INTERVAL = 0.5
"""Seconds between two looks."""
_NAMES = {"generation": "generating", "scores": "scoring"}


@contextmanager
def receipts_shown(console: Console, store: LocalStore, run_id: str, totals: dict[str, int]) -> Iterator[None]:
    """Show a bar of receipts for each kind of job (`generation`, `scores`) while the block runs."""
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
            counts = count_receipts(store, run_id)
            for kind, bar in bars.items():
                progress.update(bar, completed=counts[kind])

        def keep_looking() -> None:
            while not done.wait(INTERVAL):
                look()

        watcher = threading.Thread(target=keep_looking, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            look()


def tell_missing(store: LocalStore, run_id: str) -> None:
    """Print the metrics that a run has nowhere, each with the reason, those of one reason in a line."""
    manifest = read_manifest(store, run_id)
    by_reason: dict[str, list[str]] = {}
    for missing in manifest.missing_metrics if manifest else []:
        by_reason.setdefault(missing["reason"], []).append(missing["metric"])
    for reason, metrics in by_reason.items():
        typer.echo(f"no {', '.join(metrics)}: {reason}")
