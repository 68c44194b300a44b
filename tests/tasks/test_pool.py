"""The pool on a real local Ray: work is done, the dead are replaced, and what cannot be done is set aside."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from ray._raylet import AuthenticationTokenLoader

from skewbench.tasks.experiment import Cell
from skewbench.tasks.identity import build
from skewbench.tasks.jobs import GenerateJob, Needs, ScoreJob
from skewbench.tasks.plan import Sample, Shard
from skewbench.tasks.pool import WorkerPool, cluster, connect_ray, pool
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.run import Run, prepare
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.errors import InputError, RunError
from tests.null_workers import NullJob, NullNeeds, NullWorker, jobs
from tests.tasks.breaking_workers import BreakingWorker
from tests.tasks.experiments import small
from tests.tasks.starts import state_of, to_generate, to_score

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of sockets and processes it leaves to exit handlers


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        # to Ray's own monitor the memory is always full, as it may be on a machine that others use: nobody is killed
        environment.setenv("RAY_memory_usage_threshold", "0.01")
        connect_ray(None, gpus=0.0)
    yield
    ray.shutdown()


@pytest.fixture
def run(tmp_path: Path, tiny_sdxl: Path) -> Run:
    return prepare(small(model={"id": str(tiny_sdxl)}), str(tmp_path / "lake"))


@contextmanager
def occupied(cpus: float) -> Iterator[ray.actor.ActorHandle]:
    """So many of the machine's CPUs are another's."""
    other = ray.remote(NullWorker).options(num_cpus=cpus).remote(NullNeeds())
    ray.get(other.ready.remote())
    try:
        yield other
    finally:
        ray.kill(other)


def test_a_local_ray_asks_for_a_token() -> None:
    """Its ports are on all interfaces, so its jobs must not be anybody's."""
    assert os.environ.get("RAY_AUTH_MODE") == "token"
    assert AuthenticationTokenLoader.instance().has_token()


def test_shards_are_generated_and_scored_once(run: Run) -> None:
    with WorkerPool(run.needs, 1) as workers:
        assert [outcome.error for outcome in workers.run(to_generate(run))] == [None] * 4
        assert to_generate(run) == []
        scored = list(workers.run(to_score(run)))
    assert all(outcome.receipt for outcome in scored)
    assert to_score(run) == []
    receipts = state_of(run).receipts
    assert sum(receipt.counts.get("ok", 0) for receipt in receipts.values()) == 8
    parts = [part.path for receipt in receipts.values() for part in receipt.parts]
    assert sorted(parts) == [path for path in run.store.list("") if path.endswith(".parquet")]


@pytest.mark.slow
def test_what_always_fails_is_set_aside_and_the_rest_goes_on(run: Run) -> None:
    with WorkerPool(run.needs, 1) as workers:
        list(workers.run(to_generate(run)))
        left = to_score(run)
        broken: ScoreJob = replace(left[0], samples=(replace(left[0].samples[0], path="samples/gone.parquet"),))
        nowhere = replace(run.source, folder=Path("/no/such/model"))
        outcomes = {outcome.job.key: outcome for outcome in workers.run([broken, *left[1:]])}
    failed = outcomes[broken.key]
    assert failed.receipt is None
    assert "gone.parquet" in str(failed.error)
    assert sum(outcome.receipt is not None for outcome in outcomes.values()) == len(left) - 1
    again = to_generate(prepare(run.experiment, f"{run.store.root}-other"))
    with (
        WorkerPool(replace(run.needs, source=nowhere), 1) as workers,
        pytest.raises(RunError, match="is none, the driver's"),
    ):
        list(workers.run(again[:1]))


def test_workers_that_are_killed_are_replaced() -> None:
    with WorkerPool(NullNeeds(), 2, NullWorker) as workers:
        outcomes = workers.run(jobs(20, seconds=0.2))
        first = next(outcomes)
        for member in list(workers._members):  # those that work, and those that have no place yet
            ray.kill(member.actor)
        done = [first, *outcomes]
    assert sorted(outcome.receipt.key for outcome in done) == sorted(job.key for job in jobs(20))


@pytest.mark.slow
def test_a_job_that_kills_its_worker_is_set_aside() -> None:
    with WorkerPool(NullNeeds(), 1, NullWorker) as workers:
        outcomes = {o.job.key: o.error for o in workers.run([NullJob("deadly", dies=True), *jobs(4)])}
    assert "ActorDiedError" in str(outcomes.pop("deadly"))
    assert set(outcomes.values()) == {None}


def test_one_job_is_written_while_the_next_is_computed(tmp_path: Path) -> None:
    """The first can't be written before the second is computed."""
    sign = str(tmp_path / "second")
    with WorkerPool(NullNeeds(), 1, NullWorker) as workers:
        done = list(workers.run([NullJob("first", waits_for=sign), NullJob("second", makes=sign), *jobs(4)]))
    assert len({outcome.receipt.process for outcome in done}) == 1
    assert len(done) == 6


@pytest.mark.slow
def test_a_worker_that_dies_writing_takes_no_other_job_with_it() -> None:
    deadly = NullJob("deadly", dies_writing=True)
    with WorkerPool(NullNeeds(), 1, NullWorker) as workers:
        outcomes = {o.job.key: o.error for o in workers.run([deadly, *jobs(4, seconds=0.2)])}
    assert "ActorDiedError" in str(outcomes.pop("deadly"))
    assert outcomes == {job.key: None for job in jobs(4)}


@pytest.mark.slow
def test_samples_that_break_the_device_are_given_up_one_after_the_other() -> None:
    """However many they are, and though nothing else is left to do."""
    cell = Cell.model_validate({"name": "baseline", "knob": {"kind": "vanilla"}})
    prompt = Prompt("p0", "a red circle")
    samples = [tuple(Sample(f"{shard}-{i}", "pair", prompt, i, i) for i in range(2)) for shard in range(2)]
    shards = [GenerateJob(Shard(str(number), cell, three)) for number, three in enumerate(samples)]
    with WorkerPool(NullNeeds(), 1, BreakingWorker) as workers:
        done = {outcome.job.shard.id: outcome for outcome in workers.run(shards)}
    assert [outcome.error for outcome in done.values()] == [None] * 2
    for number, both in enumerate(samples):
        assert [name for name, _ in done[str(number)].job.given_up] == [sample.sample_id for sample in both]


@pytest.mark.slow
def test_workers_that_all_die_end_the_run() -> None:
    with WorkerPool(NullNeeds(), 1, NullWorker) as workers, pytest.raises(RunError, match="keep dying"):
        list(workers.run([NullJob(f"deadly-{number}", dies=True) for number in range(9)]))


class UnfitWorker(NullWorker):
    """Its node is not the driver's like."""

    def ready(self) -> None:
        raise RunError("here has a different skewbench than the driver: torch is 2, the driver's 1")


def test_a_node_with_another_build_ends_the_run(tmp_path: Path) -> None:
    with (
        WorkerPool(NullNeeds(), 1, UnfitWorker) as workers,
        pytest.raises(RunError, match=r"torch is 2, the driver's 1; .*SHIP_CODE=1"),
    ):
        list(workers.run(jobs(2)))
    needs = Needs(str(tmp_path), None, None, threads=1, gpus=0.0)
    Worker(needs).ready()
    with pytest.raises(RunError, match=r"has a different skewbench than the driver: torch is .*, the driver's 1"):
        Worker(replace(needs, build={**build(), "torch": "1"})).ready()


def test_one_that_raises_stays() -> None:
    with WorkerPool(NullNeeds(), 1, NullWorker) as workers:
        done = list(workers.run([NullJob("bad", error="no such thing"), *jobs(4)]))
    assert [outcome.error for outcome in done if outcome.error] == ["ValueError: no such thing"]
    assert len({outcome.receipt.process for outcome in done if outcome.receipt}) == 1


@pytest.mark.slow
def test_a_worker_without_a_place_holds_no_job() -> None:
    """More workers than there is room for: those that have a place do all the work."""
    with occupied(ray.cluster_resources()["CPU"] - 1), WorkerPool(NullNeeds(), 3, NullWorker) as workers:
        done = list(workers.run(jobs(9)))
    assert len({outcome.receipt.process for outcome in done}) == 1


@pytest.mark.slow
def test_what_is_waited_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pool, "SAY", 1.0)
    monkeypatch.setattr(pool, "LOOK", 0.5)
    with occupied(ray.cluster_resources()["CPU"]) as other, WorkerPool(NullNeeds(), 2, NullWorker) as workers:

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                said.append(record.getMessage())
                ray.kill(other)  # there is room now

        listener = Listener()
        pool.logger.addHandler(listener)
        try:
            done = list(workers.run(jobs(3)))
        finally:
            pool.logger.removeHandler(listener)
    assert len(done) == 3
    assert "requested: 2 with 1 CPUs each; the cluster has 1 nodes with" in said[0]
    assert "0 of them free" in said[0]


@pytest.mark.slow
def test_more_threads_than_cores_are_no_reason_to_wait_for_ever() -> None:
    with WorkerPool(NullNeeds(threads=1000), None, NullWorker) as workers:
        assert len(list(workers.run(jobs(2)))) == 2


@pytest.mark.slow
def test_a_dead_node_ends_the_run() -> None:
    command = [sys.executable, "-m", "tests.tasks.killed_raylet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert (done.returncode, "ended: Ray stopped on this machine" in done.stdout) == (0, True), done.stderr


def test_stopped_pool_raises() -> None:
    with WorkerPool(NullNeeds(), 1, NullWorker) as workers:
        outcomes = workers.run(jobs(100, seconds=0.2))
        next(outcomes)
        workers.stop()
        with pytest.raises(RunError, match="stopped"):
            list(outcomes)


def test_more_gpus_than_there_are() -> None:
    with pytest.raises(InputError, match=r"workers.gpus is 64, but this machine has 0 GPUs; set it to 0"):
        connect_ray(None, gpus=64.0)


def test_gpus_that_do_not_come_are_waited_for_as_long_as_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.WAIT_FOR_GPUS, "1")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"workers.gpus is 64, but the cluster has 0 GPUs"):
        connect_ray("auto", gpus=64.0)
    assert time.monotonic() - began > 1.0


@pytest.mark.slow
def test_the_wait_ends_when_there_is_room() -> None:
    cluster.ask_for_gpus(0.0, patience=550.0)  # within the test's own limit
