"""The pool on several nodes on this machine: new nodes are used, lost ones lose nothing."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from tasks.pool import WorkerPool, connect_ray, pool
from tests.null_workers import NullNeeds, NullWorker, jobs

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of sockets and processes it leaves to exit handlers
PATIENCE = 400.0
"""Seconds for nodes to come up, on a busy machine."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two nodes of one CPU; the second has a GPU, as far as Ray knows."""
    monkeypatch.setenv("RAY_health_check_period_ms", "500")  # a node that is gone is noticed soon,
    monkeypatch.setenv("RAY_health_check_failure_threshold", "10")  # one that is slow has time
    monkeypatch.setattr(pool, "LOOK", 0.5)
    nodes = _patiently(
        lambda: Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    )
    _patiently(lambda: nodes.add_node(num_cpus=1, num_gpus=1))
    connect_ray(nodes.address, gpus=0.0)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def test_new_nodes_are_used_and_a_killed_one_loses_nothing(cluster: Cluster) -> None:
    with WorkerPool(NullNeeds(), None, NullWorker) as workers:
        endless = workers.run(jobs(100_000, seconds=0.2))
        _until_nodes_work(endless, 2)
        added = [_patiently(lambda: cluster.add_node(num_cpus=1)) for _ in range(2)]
        _until_nodes_work(endless, 4)
        endless.close()
        victim, done = added[0], []
        for outcome in workers.run(jobs(40, seconds=0.2)):
            done.append(outcome)
            if victim and outcome.receipt.node == victim.node_id:
                cluster.remove_node(victim, allow_graceful=False)
                victim = None
    assert victim is None
    assert [outcome.error for outcome in done] == [None] * 40
    assert sorted(outcome.receipt.key for outcome in done) == sorted(job.key for job in jobs(40))


def _patiently(start: Callable[[], Any]) -> Any:
    """Ray gives a node 30 s to start, which on a busy machine are too few."""
    for _ in range(5):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
    pytest.fail("no node starts on this machine")


def _until_nodes_work(outcomes: Iterator[pool.Outcome], number: int) -> None:
    deadline, seen = time.monotonic() + PATIENCE, set[str]()
    for _ in count():
        seen.add(next(outcomes).receipt.node)
        if len(seen) == number:
            return
        assert time.monotonic() < deadline, f"only {len(seen)} of {number} nodes work"
