"""Workers and jobs that do nothing, for tests of the pool itself. Light to import: their processes start fast."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import ray


@dataclass(frozen=True)
class NullNeeds:
    """What the pool asks of a worker's needs."""

    threads: int = 1
    gpus: float = 0.0


@dataclass(frozen=True)
class NullJob:
    """Sleeps, or raises, or ends its process. `makes`: a file; `waits_for`: a file without which it is not written."""

    key: str
    seconds: float = 0.0
    error: str = ""
    dies: bool = False
    makes: str = ""
    waits_for: str = ""
    dies_writing: bool = False
    one_by_one: bool = False


@dataclass(frozen=True)
class Done:
    """Stands for a receipt: where a job was done."""

    key: str
    node: str
    process: int
    gpus: tuple[int, ...] = ()


class NullWorker:
    """Does null jobs."""

    def __init__(self, needs: NullNeeds) -> None:
        self._node = ray.get_runtime_context().get_node_id()

    def ready(self) -> None:
        """Answers once it has a place."""

    def run(self, job: NullJob) -> Done:
        """Both halves of a job, one after the other."""
        self.compute(job)
        return self.write(job)

    def compute(self, job: NullJob) -> None:
        """Do a job."""
        time.sleep(job.seconds)
        if job.error:
            raise ValueError(job.error)
        if job.dies:
            os._exit(1)
        if job.makes:
            Path(job.makes).touch()

    def write(self, job: NullJob) -> Done:
        """Tell where it was done."""
        while job.waits_for and not Path(job.waits_for).exists():
            time.sleep(0.05)
        if job.dies_writing:
            os._exit(1)
        return self.done(job.key)

    def done(self, key: str) -> Done:
        """In this process."""
        return Done(key, self._node, os.getpid(), tuple(ray.get_gpu_ids()))


def jobs(count: int, seconds: float = 0.0) -> list[NullJob]:
    """So many jobs."""
    return [NullJob(f"job-{number}", seconds) for number in range(count)]
