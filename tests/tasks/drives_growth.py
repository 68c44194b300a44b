"""A driver on a cluster that grows: from a head without CPUs to two GPUs, back to the head, and up again. Prints JSON.

A process of its own, as `drives_a_cluster` is.
"""

import json
import sys
import time

import ray

from skewbench.tasks.pool import WorkerPool, connect_ray, pool
from tests import null_workers
from tests.null_workers import NullNeeds, NullWorker, jobs


def main(address: str) -> None:
    """Says how many nodes there were, beside the head: at first, at work, with nothing to do, and at work again."""
    pool.LOOK, pool.IDLE = 0.5, 1.0
    ray.cloudpickle.register_pickle_by_value(null_workers)
    connect_ray(address, gpus=1.0)
    nodes = [_nodes()]
    with WorkerPool(NullNeeds(gpus=1.0), None, NullWorker) as workers:
        used: set[str] = set()
        endless = workers.run(jobs(100_000, seconds=0.1))
        while len(used) < 2:
            used.add(next(endless).receipt.node)
        endless.close()
        nodes.append(_nodes())
        while _nodes():
            time.sleep(0.5)
        nodes.append(_nodes())
        (again,) = workers.run(jobs(1))
        nodes.append(_nodes())
    print(json.dumps({"nodes": nodes, "again": again.error}))
    ray.shutdown()


def _nodes() -> int:
    return sum(node["Alive"] for node in ray.nodes()) - 1


if __name__ == "__main__":
    main(sys.argv[1])
