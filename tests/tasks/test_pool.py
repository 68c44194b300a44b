"""The pool on a real local Ray: work is done, the dead are replaced, and what cannot be done is set aside."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from tasks.errors import InputError, RunError
from tasks.lake.parts import read_receipts
from tasks.pool import WorkerPool, connect_ray
from tasks.run import Run, generation_left, prepare, scoring_left
from tasks.worker import ScoreJob
from tests.tasks.experiments import small

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of sockets and processes it leaves to exit handlers


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[None]:
    connect_ray(None, gpus=0.0)
    yield
    ray.shutdown()


@pytest.fixture
def run(tmp_path: Path, tiny_sdxl: Path) -> Run:
    return prepare(small(model={"id": str(tiny_sdxl)}), str(tmp_path / "lake"))


def test_jobs_are_done_once_and_the_dead_replaced(run: Run) -> None:
    with WorkerPool(run.needs, 2) as pool:
        victim = pool._idle.get()
        pool._idle.put(victim)
        pool._idle.put(pool._idle.get())  # the victim comes first or second, whichever
        ray.kill(victim)
        outcomes = list(pool.run(generation_left(run)))
        assert [outcome.error for outcome in outcomes] == [None] * 4
        assert generation_left(run) == []
        scored = list(pool.run(scoring_left(run)))
    assert all(outcome.receipt for outcome in scored)
    assert scoring_left(run) == []
    receipts = read_receipts(run.store, run.id)
    assert sum(receipt.counts.get("ok", 0) for receipt in receipts.values()) == 8
    parts = [part.path for receipt in receipts.values() for part in receipt.parts]
    assert sorted(parts) == [path for path in run.store.list("") if path.endswith(".parquet")]


def test_what_always_fails_is_set_aside_and_the_rest_goes_on(run: Run) -> None:
    with WorkerPool(run.needs, 1) as pool:
        list(pool.run(generation_left(run)))
        jobs = scoring_left(run)
        broken: ScoreJob = replace(jobs[0], samples=(replace(jobs[0].samples[0], path="samples/gone.parquet"),))
        outcomes = {outcome.job.key: outcome for outcome in pool.run([broken, *jobs[1:]])}
    failed = outcomes[broken.key]
    assert failed.receipt is None
    assert "gone.parquet" in str(failed.error)
    assert sum(outcome.receipt is not None for outcome in outcomes.values()) == len(jobs) - 1


def test_workers_that_cannot_start_end_the_run(run: Run) -> None:
    nowhere = replace(run.source, folder=Path("/no/such/model"))
    with WorkerPool(replace(run.needs, source=nowhere), 1) as pool:
        outcomes = list(pool.run(generation_left(run)[:1]))
    assert outcomes[0].receipt is None
    assert "/no/such/model" in str(outcomes[0].error)


def test_stopped_pool_raises(run: Run) -> None:
    with WorkerPool(run.needs, 1) as pool:
        pool.stop()
        with pytest.raises(RunError, match="stopped"):
            list(pool.run(generation_left(run)))


def test_more_gpus_than_there_are() -> None:
    with pytest.raises(InputError, match=r"workers.gpus 64"):
        connect_ray(None, gpus=64.0)
