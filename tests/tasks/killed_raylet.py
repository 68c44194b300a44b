"""Kills the local Ray's node process under a running pool, and prints what the pool says. A process of its own."""

import os
import signal

from ray._private import worker

from skewbench.tasks.pool import WorkerPool, connect_ray
from skewbench.vocabulary.errors import RunError
from tests.null_workers import NullNeeds, NullWorker, jobs


def main() -> None:
    """Exits with 0 only where the pool ended with a `RunError`."""
    os.environ |= {"RAY_health_check_failure_threshold": "3", "RAY_health_check_period_ms": "500"}
    connect_ray(None, gpus=0.0)
    (raylet,) = worker._global_node.all_processes["raylet"]
    with WorkerPool(NullNeeds(), 1, NullWorker) as pool:
        outcomes = pool.run(jobs(1000, seconds=0.2))
        next(outcomes)
        os.kill(raylet.process.pid, signal.SIGKILL)
        try:
            list(outcomes)
        except RunError as error:
            print(f"ended: {error}", flush=True)
            return
    raise SystemExit("the jobs were done by nobody")


if __name__ == "__main__":
    main()
