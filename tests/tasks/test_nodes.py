"""The pool on several nodes on this machine: new ones are used, lost ones lose nothing, GPUs are shared."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from skewbench.tasks.jobs import Outcome
from skewbench.tasks.pool import WorkerPool, connect_ray, pool
from skewbench.tasks.pool.local_ray import PATIENCE
from tests.null_workers import NullNeeds, NullWorker, jobs
from tests.tasks.started_nodes import started_nodes, with_libraries_alone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray's own, of sockets and processes it leaves to exit handlers
]
LIMIT = 400.0
"""Seconds for nodes to come up, on a busy machine."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one CPU; the second has a GPU, as far as Ray knows."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in PATIENCE.items():
            patched.setenv(name, value)
        patched.setenv("RAY_health_check_period_ms", "500")  # so that a node that is gone is noticed soon
        patched.setattr(pool, "LOOK", 0.5)
        nodes = _patiently(
            lambda: Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        )
        _patiently(lambda: nodes.add_node(num_cpus=1, num_gpus=1))
        connect_ray(nodes.address, gpus=0.0)
        yield nodes
        ray.shutdown()
        nodes.shutdown()


def test_two_models_share_a_gpu_by_halves(cluster: Cluster) -> None:
    half = NullNeeds(gpus=0.5)
    with WorkerPool(half, 1, NullWorker) as one, WorkerPool(half, 1, NullWorker) as other:
        streams = [workers.run(jobs(100_000, seconds=0.1)) for workers in (one, other)]
        first, second = (next(stream).receipt for stream in streams)
        _until(lambda: ray.available_resources().get("GPU", 0.0) == 0.0)
    assert first.process != second.process
    assert first.gpus == second.gpus == (0,)
    assert first.node == second.node


def test_workers_without_work_are_given_back(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE", 0.5)
    with WorkerPool(NullNeeds(gpus=1.0), 1, NullWorker) as workers:
        (first,) = workers.run(jobs(1))
        _until(lambda: not workers._members and ray.available_resources().get("GPU", 0.0) == 1.0)
        (second,) = workers.run(jobs(1))
    assert first.receipt.process != second.receipt.process


def test_new_nodes_are_used_and_a_killed_one_loses_nothing(cluster: Cluster) -> None:
    with WorkerPool(NullNeeds(), None, NullWorker) as workers:
        endless = workers.run(jobs(100_000, seconds=0.2))
        _until_nodes_work(endless, 2)
        added = [_patiently(lambda: cluster.add_node(num_cpus=1)) for _ in range(2)]
        _until_nodes_work(endless, 4)
        endless.close()
        victim, deadline = added[0], time.monotonic() + LIMIT
        while victim is not None:  # a node's new worker may need longer to start than the others need for all jobs
            assert time.monotonic() < deadline, "the added node runs no job"
            done = []
            for outcome in workers.run(jobs(40, seconds=0.2)):
                done.append(outcome)
                if victim is not None and outcome.receipt.node == victim.node_id:
                    cluster.remove_node(victim, allow_graceful=False)
                    victim = None
            assert [outcome.error for outcome in done] == [None] * 40
            assert sorted(outcome.receipt.key for outcome in done) == sorted(job.key for job in jobs(40))


@pytest.mark.timeout(1800)
def test_nodes_with_the_libraries_alone_get_the_drivers_code(tmp_path: Path) -> None:
    """Started by `ray start`, with a token; the driver, too, is a process of its own."""
    driver = "tests.tasks.drives_a_cluster"
    with started_nodes(with_libraries_alone(tmp_path / "python")) as nodes:
        nodes.head("--num-cpus=1")
        nodes.worker("--num-cpus=1")
        without, shipped = nodes.drive(driver), nodes.drive(driver, SKEWBENCH_SHIP_CODE="1")
    assert str(without.pop("ended")).startswith("a node of the cluster has no skewbench; install it there")
    assert without == {"nodes": 2}
    assert shipped == {"nodes": 2, "errors": [None, None]}


@pytest.mark.timeout(1800)
def test_an_autoscaling_cluster_grows_for_work_and_shrinks_without() -> None:
    with started_nodes() as nodes:
        nodes.growing_head(2)
        seen = nodes.drive("tests.tasks.drives_growth", SKEWBENCH_WAIT_FOR_GPUS="400")
    assert seen == {"nodes": [1, 2, 0, 1], "again": None}


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _patiently(start: Callable[[], Any]) -> Any:
    """Ray gives a node 30 s to start, which on a busy machine are too few."""
    for _ in range(5):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
    pytest.fail("no node starts on this machine")


def _until_nodes_work(outcomes: Iterator[Outcome], number: int) -> None:
    deadline, seen = time.monotonic() + LIMIT, set[str]()
    for _ in count():
        seen.add(next(outcomes).receipt.node)
        if len(seen) == number:
            return
        assert time.monotonic() < deadline, f"only {len(seen)} of {number} nodes work"
