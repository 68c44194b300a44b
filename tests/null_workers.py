"""Workers and jobs that do nothing, for tests of the pool itself. Light to import: their processes start fast."""

import os
import re
import signal
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
    """Sleeps, or raises, or ends its process. `makes`: a file; `waits_for`: a file without which it is not written.

    `hangs`: while it is `computing` or `writing`, the first time alone where `once` names a file; `how`: it `sleeps`,
    `holds` the interpreter's lock, or its process `stops`.
    """

    key: str
    seconds: float = 0.0
    error: str = ""
    dies: bool = False
    makes: str = ""
    waits_for: str = ""
    dies_writing: bool = False
    one_by_one: bool = False
    hangs: str = ""
    how: str = "sleeps"
    once: str = ""
    cell: str = "null"

    def hang(self, doing: str) -> None:
        """Hang where it is to."""
        if doing != self.hangs or (self.once and Path(self.once).exists()):
            return
        if self.once:
            Path(self.once).touch()
        if self.how == "holds":
            re.match(r"(a+)+$", "a" * 60 + "b")  # takes longer than anybody lives, in C
        if self.how == "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(10_000.0)


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
        job.hang("computing")
        if job.error:
            raise ValueError(job.error)
        if job.dies:
            os._exit(1)
        if job.makes:
            Path(job.makes).touch()

    def write(self, job: NullJob) -> Done:
        """Tell where it was done."""
        job.hang("writing")
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
