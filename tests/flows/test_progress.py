"""The bars of `skewbench run` and `score`: what was done before, and what this process's pool reports. No listing."""

import io
import logging
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from rich.console import Console

from skewbench.flows import artifacts, cells
from skewbench.flows.cli.progress import progress_shown
from skewbench.flows.server_loss import call_server, is_lost
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


def test_workers_go_on_without_the_server(
    monkeypatch: pytest.MonkeyPatch, server_found: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the first request without an answer no more are sent: each would wait for its retries."""
    sent: list[float] = []

    def gone(progress: UUID, share: float) -> None:
        sent.append(share)
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(cells, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(cells, "task_run", SimpleNamespace(run_count=1))
    monkeypatch.setattr(cells, "create_progress_artifact", lambda share, description: uuid4())
    monkeypatch.setattr(cells, "update_progress_artifact", gone)
    jobs: Any = [NullJob(name) for name in "abc"]
    done = [Outcome(job, Receipt(SHARD, "r-1", (), 1.0, {})) for job in jobs]
    pool: Any = SimpleNamespace(run=lambda left: iter(done))
    store: Any = None
    assert cells.do_cell.fn("generation", "baseline", pool, store, "r-1", jobs) == done
    assert len(sent) == 1
    note = "note: the Prefect server does not answer (ConnectError: refused); the workers go on without it\n"
    assert capsys.readouterr().err == note
    artifacts.show(store, "report.html")  # not even attempted


def test_what_a_server_refuses_is_an_error(server_found: None) -> None:
    def refused() -> None:
        raise ValueError("no such artifact")

    with pytest.raises(ValueError, match="no such artifact"):
        call_server(refused)
    assert not is_lost()


def test_nothing_is_passed_on_afterwards() -> None:
    _last([])
    assert cells._observers == []
