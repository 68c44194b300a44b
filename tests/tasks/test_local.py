"""The worker of `--local`: tries, errors that end the run, and a run that another driver has taken over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skewbench.sql import LakeUnreachable
from skewbench.storage.keys import SCORES, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.receipts import Receipt
from skewbench.storage.store import LocalStore
from skewbench.tasks.jobs import Needs, Outcome, ScoreJob
from skewbench.tasks.local import LocalWorker
from skewbench.tasks.setting import BrokenDeviceError
from skewbench.vocabulary.errors import RunError

JOBS = [ScoreJob("r", JobKey(SCORES, shard=shard, scorer="contrast", version=1), "cell", (), ()) for shard in "ab"]
Start = Callable[..., tuple[LocalWorker, list[ScoreJob], list[Outcome]]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts a local worker on which the given errors are raised, one a try; with its tries and its outcomes."""

    def started(*errors: Exception | None) -> tuple[LocalWorker, list[ScoreJob], list[Outcome]]:
        tries: list[ScoreJob] = []
        observed: list[Outcome] = []
        coming = list(errors)

        class Worker:
            def __init__(self, _needs: Needs) -> None: ...

            def run(self, job: ScoreJob) -> Receipt:
                tries.append(job)
                if error := coming.pop(0) if coming else None:
                    raise error
                return Receipt(job.key, "r", (), 1.0, {})

        monkeypatch.setattr("skewbench.tasks.worker.Worker", Worker)
        lease = Lease(LocalStore(tmp_path), "r")
        needs = Needs(str(tmp_path), None, None, 1, 0.0, {})
        return LocalWorker(needs, lease, observed.append), tries, observed

    return started


def test_a_job_is_tried_three_times_and_the_rest_goes_on(start: Start) -> None:
    worker, tries, observed = start(ValueError("no\nluck"), ValueError("no luck"), ValueError("none at all"))
    failed, done = worker("score", JOBS)
    assert [job.one_by_one for job in tries] == [False, False, True, False]
    assert (failed.receipt, failed.error) == (None, "ValueError: none at all")
    assert (done.error, done.receipt is not None) == (None, True)
    assert observed == [failed, done]


def test_a_job_that_fails_once_is_done(start: Start) -> None:
    worker, tries, _ = start(ValueError("busy"))
    assert [outcome.error for outcome in worker("score", JOBS)] == [None, None]
    assert len(tries) == 3


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (LakeUnreachable("s3://b does not answer"), "s3://b does not answer; run the same command again to resume"),
        (RuntimeError("CUDA error: unspecified"), "the device failed: RuntimeError: CUDA error: unspecified; resume"),
        (BrokenDeviceError(["x"], "CUDA error: of x"), "the device failed: CUDA error: of x; resume without --local"),
    ],
)
def test_what_would_fail_for_every_job_ends_the_run(start: Start, error: Exception, message: str) -> None:
    worker, tries, observed = start(error)
    with pytest.raises(RunError, match=message):
        worker("score", JOBS)
    assert (len(tries), observed) == (1, [])


def test_a_run_that_was_taken_over_stops(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, tries, _ = start()

    def check(_lease: Any) -> None:
        raise RunError("another driver")

    monkeypatch.setattr(Lease, "check", check)
    with pytest.raises(RunError, match="another driver"):
        worker("score", JOBS)
    assert tries == []
