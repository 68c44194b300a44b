"""A run's progress on the terminal, read off the lake's receipts: right for workers anywhere, and after a resume."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tasks.lake.parts import count_receipts
from tasks.run import Run

INTERVAL = 0.5
"""Seconds between two looks."""


@contextmanager
def receipts_shown(console: Console, run: Run) -> Iterator[None]:
    """Show bars of generated and scored shards while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    done = threading.Event()
    with Progress(*columns, console=console) as progress:
        generated = progress.add_task("generating", total=len(run.shards))
        scored = progress.add_task("scoring", total=len(run.shards) * len(run.experiment.metrics))

        def look() -> None:
            counts = count_receipts(run.store, run.id)
            progress.update(generated, completed=counts["generation"])
            progress.update(scored, completed=counts["scores"])

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
