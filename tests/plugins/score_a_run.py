"""A small run, generated and scored in this process: `python -m tests.plugins.score_a_run LAKE CHANGES`.

CHANGES are fields of the experiment `tests.tasks.experiments.small`, as JSON.
"""

import json
import sys

import torch

from skewbench.tasks.run import begin, commit, generation_left, prepare, scoring_left
from skewbench.tasks.worker import Worker
from tests.tasks.experiments import small


def main(lake: str, changes: str) -> None:
    """Make the run and print its id."""
    run = prepare(small(**json.loads(changes)), lake)
    torch.set_num_threads(1)
    worker = Worker(run.needs)
    begin(run)
    for job in generation_left(run):
        worker.run(job)
    commit(run, begin(run), [])
    for score in scoring_left(run):
        worker.run(score)
    commit(run, begin(run), [])
    print(run.id)


if __name__ == "__main__":
    main(*sys.argv[1:])
