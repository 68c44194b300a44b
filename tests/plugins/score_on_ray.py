"""Scores a run with two workers on a local Ray: `python -m tests.plugins.score_on_ray LAKE SCORER`."""

import sys

import ray

from skewbench.storage.manifest import find_run
from skewbench.storage.state import read_state
from skewbench.storage.store import open_store
from skewbench.tasks.drive import needs_to_score
from skewbench.tasks.pool import WorkerPool, connect_ray
from skewbench.tasks.run import commit_receipts
from skewbench.tasks.scoring import left_of_run


def main(lake: str, scorer: str) -> None:
    """Score what is left, commit it, and print the error of each job."""
    store = open_store(lake)
    state = read_state(store, find_run(store, None))
    connect_ray(None, gpus=0.0)
    with WorkerPool(needs_to_score(store, state.manifest, 0.0), 2) as workers:
        outcomes = list(workers.run(left_of_run(store, state, [scorer])))
    ray.shutdown()
    state.fold(outcome.receipt for outcome in outcomes)
    commit_receipts(store, state, outcomes, state.manifest.status)
    print([outcome.error for outcome in outcomes])


if __name__ == "__main__":
    main(*sys.argv[1:])
