"""Shows the progress of a run: bars in a terminal, and plain lines elsewhere. Counts images as their batches end."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from skewbench.tasks.progress import samples_observed

if TYPE_CHECKING:
    from skewbench.storage.keys import JobKey
    from skewbench.tasks.jobs import Outcome
    from skewbench.tasks.run import Run

SILENCE = 30.0
"""Seconds after which a plain line is printed again."""
STEP = 0.05
"""Share of a stage after which a plain line is printed."""


@dataclass(frozen=True)
class Totals:
    """The work of a complete run.

    Args:
        scorings: Number of jobs that score.
        samples: Number of samples of each shard, by its id.
        noun: The word for a sample, such as `image`.
    """

    scorings: int
    samples: Mapping[str, int] = field(default_factory=dict)
    noun: str = "image"


def totals_of(run: "Run") -> Totals:
    """Count the work of a run.

    Args:
        run: The run.
    """
    from skewbench.tasks.models import family_of_source

    sizes = {shard.id: len(shard.samples) for shard in run.shards}
    jobs = scorings(run.experiment.metrics, len(run.shards), len(run.experiment.cells))
    return Totals(jobs, sizes, _NOUNS[family_of_source(run.source).medium])


_NOUNS = {"image": "image", "audio": "sound", "video": "video"}


class _Stage:
    """One kind of work: the number of finished items, and the time per item in this start."""

    def __init__(self, name: str, noun: str, total: int, done: int) -> None:
        self.name, self.noun, self.total, self.done = name, noun, total, done
        self.shown, self.shown_at = done / total if total else 1.0, time.monotonic()
        self._first: tuple[float, int] | None = None
        self._seconds: float | None = None

    def update(self, done: int, seconds: float | None = None) -> None:
        """Record the number of finished items.

        The time per item is measured from the first report on, because models load before it. Until the second report
        it is the time that the worker measured.

        Args:
            done: Number of items.
            seconds: Seconds per item that the worker of the last items measured.
        """
        if done == self.done:
            return
        self.done, now = done, time.monotonic()
        if self._first is None:
            self._first, self._seconds = (now, done), seconds
        else:
            self._seconds = (now - self._first[0]) / (done - self._first[1])

    @property
    def count(self) -> str:
        """Such as `12 of 64 images`."""
        return f"{self.done} of {self.total} {self.noun}s"

    @property
    def pace(self) -> str:
        """Such as `0.42 s per image, 3 min left`; empty while it is unknown."""
        if self._seconds is None:
            return ""
        left = self._seconds * (self.total - self.done)
        return f"{self._seconds:.2g} s per {self.noun}" + (f", {_duration(left)} left" if left else "")

    @property
    def line(self) -> str:
        """Name, count, share and pace in one line."""
        share = f"{self.name}: {self.count} ({100 * self.done / self.total:.0f}%)"
        return f"{share}, {self.pace}" if self.pace else share


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def progress_shown(console: Console, done: Iterable["JobKey"], totals: Totals) -> Iterator[Callable[["Outcome"], None]]:
    """Show the progress of generating and scoring while the block runs.

    Args:
        console: The console that shows it.
        done: Keys of the jobs that were finished before.
        totals: The total work. Attempts at a shard, and versions and references of a scorer, count once.

    Yields:
        A function to call with each outcome of a job.
    """
    tally = _Tally(done, totals)
    with (_bars if console.is_terminal else _lines)(console, tally.stages) as shown:

        def count(outcome: "Outcome") -> None:
            if outcome.receipt is not None:
                shown(tally.add(outcome.receipt.key))

        with samples_observed(lambda *reported: shown(tally.add_samples(*reported))):
            yield count


class _Tally:
    """Counts each sample and each scoring once, even if it is reported several times."""

    def __init__(self, done: Iterable["JobKey"], totals: Totals) -> None:
        self._totals, self._lock = totals, threading.Lock()
        self._samples: dict[str, int] = {}
        self._scored: set[tuple[str, str, str]] = set()
        for key in done:
            self._note(key)
        self._generating = _Stage("generating", totals.noun, sum(totals.samples.values()), self._generated)
        self._scoring = _Stage("scoring", "job", totals.scorings, len(self._scored))
        self.stages = [stage for stage in (self._generating, self._scoring) if stage.total]

    def add(self, key: "JobKey") -> _Stage:
        """Count a finished job. Returns its stage."""
        with self._lock:
            self._note(key)
            return self._updated()[key.kind == "scores"]

    def add_samples(self, shard: str, samples: int, seconds: float) -> _Stage:
        """Count samples of a shard that is not finished. Returns their stage."""
        with self._lock:
            if shard in self._totals.samples:
                self._samples[shard] = max(samples, self._samples.get(shard, 0))
            return self._updated(seconds)[0]

    def _note(self, key: "JobKey") -> None:
        if key.kind == "scores":
            self._scored.add((key.shard, key.cell, key.scorer))
        elif key.shard in self._totals.samples:
            self._samples[key.shard] = self._totals.samples[key.shard]

    @property
    def _generated(self) -> int:
        return sum(self._samples.values())

    def _updated(self, seconds: float | None = None) -> tuple[_Stage, _Stage]:
        self._generating.update(self._generated, seconds)
        self._scoring.update(len(self._scored))
        return self._generating, self._scoring


@contextmanager
def _bars(console: Console, stages: list[_Stage]) -> Iterator[Callable[[_Stage], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}

        def show(stage: _Stage) -> None:
            if stage.name in bars:
                state: dict[str, Any] = {"count": stage.count, "pace": stage.pace}
                progress.update(bars[stage.name], completed=stage.done, **state)

        for stage in stages:
            bars[stage.name] = progress.add_task(
                stage.name, total=stage.total, completed=stage.done, count=stage.count, pace=""
            )
        yield show


@contextmanager
def _lines(console: Console, stages: list[_Stage]) -> Iterator[Callable[[_Stage], None]]:
    """A line when a stage has advanced by `STEP` or is complete, and when nothing was printed for `SILENCE`."""
    ended, lock = threading.Event(), threading.Lock()

    def show(stage: _Stage, always: bool = False) -> None:
        with lock:
            share = stage.done / stage.total if stage.total else 1.0
            advanced = share - stage.shown >= STEP or (share == 1.0 > stage.shown)
            if advanced or always:
                stage.shown, stage.shown_at = share, time.monotonic()
                console.print(stage.line, highlight=False)

    def remind() -> None:
        while not ended.wait(1.0):
            current = next((stage for stage in stages if stage.done < stage.total), None)
            if current and time.monotonic() - max(stage.shown_at for stage in stages) >= SILENCE:
                show(current, always=True)

    reminder = threading.Thread(target=remind, name="progress", daemon=True)
    reminder.start()
    try:
        yield show
    finally:
        ended.set()
        reminder.join()


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
