"""A driver that joins a cluster whose nodes are others', and prints what it did there, as JSON.

A process of its own: whether Ray asks for a token is decided when it is first imported.
"""

import json
import sys
import tempfile

import ray

from skewbench.tasks.pool import WorkerPool, connect_ray
from skewbench.tasks.run import prepare
from skewbench.vocabulary.errors import RunError
from tests import null_workers
from tests.null_workers import NullNeeds, NullWorker, jobs
from tests.tasks.experiments import small
from tests.tasks.starts import to_generate


def main(address: str) -> None:
    """Null jobs until two nodes have done some, then a small run of the bundled model."""
    connect_ray(address, gpus=0.0)
    done: dict[str, object] = {"nodes": spread()}
    try:
        done["errors"] = generate()
    except RunError as error:
        done["ended"] = str(error)
    print(json.dumps(done))
    ray.shutdown()


def spread() -> int:
    """On how many nodes jobs were done, with workers that are pickled whole: tests are nowhere but here."""
    ray.cloudpickle.register_pickle_by_value(null_workers)
    nodes: set[str] = set()
    with WorkerPool(NullNeeds(), None, NullWorker) as workers:
        endless = workers.run(jobs(100_000, seconds=0.1))
        while len(nodes) < 2:
            nodes.add(next(endless).receipt.node)
        endless.close()
    return len(nodes)


def generate() -> list[str | None]:
    """What came of each shard: no error, where it is well."""
    run = prepare(small(seeds=1), tempfile.mkdtemp())
    with WorkerPool(run.needs, 1) as workers:
        errors = [outcome.error for outcome in workers.run(to_generate(run))]
    return errors + ["no receipt" for _ in to_generate(run)]


if __name__ == "__main__":
    main(sys.argv[1])
