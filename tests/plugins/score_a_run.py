"""A small run, generated and scored in this process: `python -m tests.plugins.score_a_run LAKE CHANGES`.

CHANGES are fields of the experiment `tests.tasks.experiments.small`, as JSON.
"""

import json
import sys

import torch

from skewbench.storage.lease import Lease
from skewbench.tasks.run import commit, generation_left, prepare, scoring_left, start
from skewbench.tasks.worker import Worker
from tests.tasks.experiments import small


def main(lake: str, changes: str) -> None:
    """Make the run and print its id."""
    run = prepare(small(**json.loads(changes)), lake)
    torch.set_num_threads(1)
    worker = Worker(run.needs)
    with Lease(run.store, run.id) as lease:
        state = start(run, lease)
        state.fold([worker.run(job) for job in generation_left(run, state)])
        commit(run, state, [])
        state.fold([worker.run(score) for score in scoring_left(run, state)])
        commit(run, state, [])
    print(run.id)


if __name__ == "__main__":
    main(*sys.argv[1:])
