"""Workers that hang are named within the patience, replaced at the limit, and nothing of the run is missing."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest
import ray

from skewbench.storage.lease import Lease, driver_notes
from skewbench.storage.store import LocalStore
from skewbench.tasks.pool import WorkerPool, connect_ray, hangs, pool
from skewbench.tasks.pool.hangs import HangWatch
from skewbench.tasks.pool.records import Member, Stream, Task
from skewbench.vocabulary.errors import RunError
from tests.null_workers import NullJob, NullNeeds, NullWorker, jobs

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of sockets and processes it leaves to exit handlers


def _member(job: NullJob) -> Member:
    task = Task(job, Stream())
    return Member(None, 0.0, ready=True, place=("node-1", 42), computes=task)


def _watch(limit: float | None = None, usual: float | None = None) -> HangWatch:
    watch = HangWatch(limit)
    for _ in range(3 if usual is not None else 0):
        watch.finished("computing", NullJob("done"), usual)
    return watch


def _named(watch: HangWatch, member: Member, looks: int, seconds: float = 10.0) -> list[int]:
    """At which seconds it is named."""
    return [round((look + 1) * seconds) for look in range(looks) if watch.check([member], seconds)]


def test_work_is_named_after_a_multiple_of_the_usual_time_and_as_time_doubles() -> None:
    member = _member(NullJob("generation-1"))
    watch = _watch(usual=30.0)
    assert _named(watch, member, 70) == [150, 300, 600]
    (line,) = watch.lines
    assert line.startswith(
        "generation-1 of cell null: process 42 on node-1 has been computing for 700 s (usually 30.0 s)"
    )
    member.leave(member.computes)
    assert watch.check([member], 10.0) == []
    assert watch.lines == ()


@pytest.mark.parametrize(
    ("usual", "one_by_one", "first"), [(0.1, False, 60), (None, False, 600), (30.0, True, 1200), (None, True, 4800)]
)
def test_how_long_nothing_is_said(usual: float | None, one_by_one: bool, first: int) -> None:
    assert _named(_watch(usual=usual), _member(NullJob("a", one_by_one=one_by_one)), 500)[0] == first


@pytest.mark.parametrize(
    ("limit", "usual", "overdue"),
    [(0.0, 1.0, None), (90.0, 1.0, 90), (None, 1.0, 3600), (None, 400.0, 8000), (None, None, 43200)],
)
def test_the_limit(limit: float | None, usual: float | None, overdue: int | None) -> None:
    watch, member = _watch(limit, usual), _member(NullJob("a"))
    late = next((ten for ten in range(1, 5000) if any(one.overdue for one in watch.check([member], 10.0))), None)
    assert late == (overdue and overdue // 10)
    assert ("there is no limit" in watch.lines[0]) is (limit == 0.0)


def test_of_several_jobs_that_are_to_be_written_the_first_is_late() -> None:
    first, second = (Task(NullJob(key), Stream()) for key in ("a", "b"))
    member = Member(None, 0.0, ready=True, place=("node-1", 42), writes=[first, second])
    late = [one for _ in range(61) for one in _watch(usual=None).check([member], 0.0)]
    assert late == []
    watch = _watch()
    assert [one.task for _ in range(70) for one in watch.check([member], 10.0)] == [first]
    assert "has been writing for" in watch.lines[0]


def test_what_is_late_is_in_the_lease_while_the_driver_lives(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with Lease(store, "run-1") as lease:
        assert driver_notes(store, "run-1") == []
        lease.note(lambda: ("it hangs",))
        store.put("_leases/run-1.json", lease._content())
        assert driver_notes(store, "run-1") == ["it hangs"]
    store.delete("_leases/run-1.json")
    assert driver_notes(store, "run-1") == []


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    connect_ray(None, gpus=0.0)
    yield
    ray.shutdown()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, local_ray: None) -> None:
    monkeypatch.setattr(hangs, "FIRST", 1.0)
    monkeypatch.setattr(hangs, "FLOOR", 1.0)
    monkeypatch.setattr(hangs, "ONE_BY_ONE", 1.0)
    monkeypatch.setattr(pool, "LOOK", 0.25)


@contextmanager
def _said() -> Iterator[list[str]]:
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener = Listener()
    pool.logger.addHandler(listener)
    try:
        yield said
    finally:
        pool.logger.removeHandler(listener)


@pytest.mark.parametrize(
    ("doing", "how"),
    [
        ("computing", "holds"),
        *(
            pytest.param(*hang, marks=pytest.mark.slow)
            for hang in (("computing", "sleeps"), ("computing", "stops"), ("writing", "sleeps"))
        ),
    ],
)
def test_a_worker_that_hangs_is_named_and_replaced(impatient: None, tmp_path: Path, doing: str, how: str) -> None:
    hung = NullJob("hung", hangs=doing, how=how, once=str(tmp_path / "hung"), cell="baseline")
    with _said() as said, WorkerPool(NullNeeds(), 1, NullWorker, hang_limit=4.0) as workers:
        done = {outcome.job.key: outcome for outcome in workers.run([hung, *jobs(4)])}
        assert workers.late == ()
    assert {key: outcome.error for key, outcome in done.items()} == dict.fromkeys(["hung", *(j.key for j in jobs(4))])
    of_hung = [line for line in said if line.startswith("hung of cell baseline: ")]
    named = re.search(rf"process (\d+) on {gethostname()} has been {doing} for [12] s", of_hung[0])
    assert named, said
    assert "the worker will be replaced after 4 s" in of_hung[0]
    assert of_hung[-1].endswith("over the limit of 4 s: replacing the worker")
    assert done["hung"].receipt.process != int(named[1])


@pytest.mark.slow
def test_a_job_that_always_hangs_is_set_aside_with_the_reason(impatient: None) -> None:
    with WorkerPool(NullNeeds(), 1, NullWorker, hang_limit=2.0) as workers:
        done = {o.job.key: o for o in workers.run([NullJob("hung", hangs="computing"), *jobs(4)])}
    hung = done.pop("hung")
    assert re.match(r"WorkerHungError: hung of cell null: process \d+ on \S+ has been computing for 2 s", hung.error)
    assert hung.job.one_by_one
    assert [outcome.error for outcome in done.values()] == [None] * 4


@pytest.mark.slow
def test_a_worker_that_hangs_while_it_starts(impatient: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangs, "START", 1.0)
    monkeypatch.setattr(hangs, "START_LIMIT", 90.0)  # on a busy machine any start takes a minute
    sign = str(tmp_path / "hung")

    class Starting(NullWorker):
        def __init__(self, needs: Any) -> None:
            NullJob("start", hangs="computing", once=sign).hang("computing")
            super().__init__(needs)

    with _said() as said, WorkerPool(NullNeeds(), 1, Starting) as workers:
        assert [outcome.error for outcome in workers.run(jobs(3))] == [None] * 3
    starting = [line for line in said if " has been starting for " in line]
    assert re.match(rf"a worker \(process \d+ on {gethostname()}\) has been starting for [12] s", starting[0])
    assert any(line.endswith("over the limit of 90 s: replacing the worker") for line in starting)


def test_workers_that_all_hang_end_the_run(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangs, "START_LIMIT", 1.0)

    class Starting(NullWorker):
        def ready(self) -> None:
            NullJob("start", hangs="computing").hang("computing")

    expected = "workers keep dying; the last error: WorkerHungError: a worker"
    with WorkerPool(NullNeeds(), 1, Starting) as workers, pytest.raises(RunError, match=expected):
        list(workers.run(jobs(1)))
