"""The progress of `skewbench run` and `score`: what was done before, and what workers report. No listing."""

import io
import logging
import os
import re
import signal
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from rich.console import Console

from skewbench.flows import artifacts, cells
from skewbench.flows.cli import progress
from skewbench.flows.cli.progress import Totals, progress_shown
from skewbench.flows.cli.session import Stopped, stoppable
from skewbench.flows.server_loss import call_server, is_lost
from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.receipts import Receipt
from skewbench.tasks.jobs import Outcome
from skewbench.tasks.progress import LOGGER, report_samples, samples_observed
from skewbench.tasks.worker_log import Bound, _Relay
from tests.flows.serving import wait_for
from tests.null_workers import NullJob

SHARD = JobKey(GENERATION, shard="0a")
CLIP = JobKey(SCORES, shard="0a", scorer="clip", version=1)


def _outcome(key: JobKey, error: str | None = None) -> Outcome:
    return Outcome(NullJob("x"), None if error else Receipt(key, "r-1", (), 1.0, {}), error)  # type: ignore[arg-type]


def _reported(*keys: JobKey, error: str | None = None) -> None:
    for key in keys:
        for observe in list(cells._observers):
            observe(_outcome(key, error))


TOTALS = Totals(2, {"0a": 3, "0b": 5})


def _last(done: list[JobKey], *reported: JobKey, error: str | None = None, terminal: bool = True) -> list[str]:
    """The counts of images and of scorings when all is reported."""
    screen = io.StringIO()
    bars = progress_shown(Console(file=screen, width=120, force_terminal=terminal), done, TOTALS)
    with bars as observe, cells.observed(observe):
        _reported(*reported, error=error)
    return re.findall(r"(\d+ of \d+) (?:images|jobs)", screen.getvalue())[-2:]


def test_what_was_done_before_is_counted() -> None:
    assert _last([SHARD, CLIP]) == ["3 of 8", "1 of 2"]


def test_outcomes_are_counted_once() -> None:
    again = replace(SHARD, retry=1)
    other = replace(SHARD, shard="0b")
    assert _last([SHARD], again, other, CLIP, replace(CLIP, version=2)) == ["8 of 8", "1 of 2"]


def test_what_failed_is_not_done() -> None:
    assert _last([], SHARD, CLIP, error="no") == ["0 of 8", "0 of 2"]


def test_images_count_as_their_batches_end() -> None:
    """In a pipe as plain lines, with the worker's own seconds until a second batch shows how fast all workers are."""
    screen = io.StringIO()
    with progress_shown(Console(file=screen, width=120), [], TOTALS) as observe:
        report_samples("0b", 2, 0.5)
        report_samples("other run", 9, 0.5)
        report_samples("0b", 1, 0.5)  # the shard is tried again
        observe(_outcome(replace(SHARD, shard="0b")))
        observe(_outcome(CLIP))
    first, second, third = screen.getvalue().splitlines()
    assert first == "generating: 2 of 8 images (25%), 0.5 s per image, 3 s left"
    assert re.fullmatch(r"generating: 5 of 8 images \(62%\), \S+ s per image, 0 s left", second)
    assert third == "scoring: 1 of 2 jobs (50%)"


def test_a_plain_line_tells_of_a_long_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SILENCE", 0.0)
    screen = io.StringIO()
    with progress_shown(Console(file=screen, width=120), [], TOTALS):
        wait_for("a line", screen.getvalue)
    assert screen.getvalue().startswith("generating: 0 of 8 images (0%)\n")


def test_progress_of_workers_reaches_the_driver_and_not_the_log(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[tuple[str, int, float]] = []
    about = {"shard": "0a", "samples": 2, "seconds": 0.5}
    record = logging.makeLogRecord({"name": LOGGER, "levelno": logging.INFO, **about})
    with samples_observed(lambda *given: reported.append(given)):
        _Relay(logging.getLogger("of the flow run")).emit(record)
    assert reported == [("0a", 2, 0.5)]
    assert "of the flow run" not in {one.name for one in caplog.records}


def test_reports_of_progress_displace_no_lines() -> None:
    bound = Bound(lines=1)
    report, line = (logging.makeLogRecord({"name": name, "levelno": logging.INFO}) for name in (LOGGER, "skewbench"))
    assert [bound.filter(report), bound.filter(report), bound.filter(line)] == [True, False, True]


def test_ctrl_c_stops_and_a_second_one_kills(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "_exit", killed.append)
    before = signal.getsignal(signal.SIGINT)

    def working() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
            raise

    with pytest.raises(Stopped, match="run the same command again to resume"), stoppable():
        working()
    assert capsys.readouterr().err == "note: stopping; press Ctrl-C again to kill\n"
    assert killed == [130]
    assert signal.getsignal(signal.SIGINT) is before


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
