"""The bars of `skewbench run` and `score`: what was done before, and what this process's pool reports. No listing."""

import io
import re
from dataclasses import replace

from rich.console import Console

from skewbench.flows import cells
from skewbench.flows.cli.progress import progress_shown
from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.receipts import Receipt
from skewbench.tasks.jobs import Outcome
from tests.null_workers import NullJob

SHARD = JobKey(GENERATION, shard="0a")
CLIP = JobKey(SCORES, shard="0a", scorer="clip", version=1)


def _reported(*keys: JobKey, error: str | None = None) -> None:
    for key in keys:
        outcome = Outcome(NullJob("x"), None if error else Receipt(key, "r-1", (), 1.0, {}), error)  # type: ignore[arg-type]
        for observe in list(cells._observers):
            observe(outcome)


def _last(done: list[JobKey], *reported: JobKey, error: str | None = None) -> list[str]:
    """The counts of the bars when all is reported."""
    screen = io.StringIO()
    bars = progress_shown(Console(file=screen, width=120), done, {"generation": 2, "scores": 2})
    with bars as observe, cells.observed(observe):
        _reported(*reported, error=error)
    return re.findall(r"(\d+/\d+)", screen.getvalue())[-2:]


def test_what_was_done_before_is_counted() -> None:
    assert _last([SHARD, CLIP]) == ["1/2", "1/2"]


def test_outcomes_are_counted_once() -> None:
    again = replace(SHARD, retry=1)
    other = replace(SHARD, shard="0b")
    assert _last([SHARD], again, other, CLIP, replace(CLIP, version=2)) == ["2/2", "1/2"]


def test_what_failed_is_not_done() -> None:
    assert _last([], SHARD, CLIP, error="no") == ["0/2", "0/2"]


def test_nothing_is_passed_on_afterwards() -> None:
    _last([])
    assert cells._observers == []
