"""Workers and jobs that do nothing, for tests of the pool itself. Light to import: their processes start fast."""

import os
import time
from dataclasses import dataclass

import ray


@dataclass(frozen=True)
class NullNeeds:
    """What the pool asks of a worker's needs."""

    threads: int = 1
    gpus: float = 0.0


@dataclass(frozen=True)
class NullJob:
    """Sleeps, or raises, or ends its process."""

    key: str
    seconds: float = 0.0
    error: str = ""
    dies: bool = False
    one_by_one: bool = False


@dataclass(frozen=True)
class Done:
    """Stands for a receipt: where a job was done."""

    key: str
    node: str
    process: int


class NullWorker:
    """Does null jobs."""

    def __init__(self, needs: NullNeeds) -> None:
        self._node = ray.get_runtime_context().get_node_id()

    def ready(self) -> None:
        """Answers once it has a place."""

    def run(self, job: NullJob) -> Done:
        """Do a job."""
        time.sleep(job.seconds)
        if job.error:
            raise ValueError(job.error)
        if job.dies:
            os._exit(1)
        return Done(job.key, self._node, os.getpid())


def jobs(count: int, seconds: float = 0.0) -> list[NullJob]:
    """So many jobs."""
    return [NullJob(f"job-{number}", seconds) for number in range(count)]
