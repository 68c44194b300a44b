"""A small run, generated and scored in this process: `python -m tests.plugins.score_a_run LAKE CHANGES`.

CHANGES are fields of the experiment `tests.tasks.experiments.small`, as JSON.
"""

import json
import sys

import torch

from skewbench.storage.lease import Lease
from skewbench.tasks.run import prepare, start
from tests.tasks.experiments import small
from tests.tasks.in_process import generate_and_score


def main(lake: str, changes: str) -> None:
    """Make the run and print its id."""
    run = prepare(small(**json.loads(changes)), lake)
    torch.set_num_threads(1)
    with Lease(run.store, run.id) as lease:
        generate_and_score(run, start(run, lease), lease)
    print(run.id)


if __name__ == "__main__":
    main(*sys.argv[1:])
