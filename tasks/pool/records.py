"""Records of the pool: callers, jobs and workers."""

import queue
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from skewbench.tasks.jobs import GenerateJob, Job, Outcome

LOOK_AHEAD = 1000
"""Waiting jobs among which a worker's next one is chosen."""


@dataclass(eq=False)
class Stream:
    """A caller's waiting jobs, and the queue of its outcomes and log lines."""

    waiting: "deque[Task]" = field(default_factory=deque)
    outcomes: "queue.SimpleQueue[Outcome | str]" = field(default_factory=queue.SimpleQueue)

    def next_for(self, group: str, others: Collection[str]) -> "Task":
        """Choose a worker's next job: of its own group, else of one that no other worker has, else the first.

        A job that failed before comes first.

        Args:
            group: Group of the worker's last job.
            others: Groups of the other workers' last jobs.
        """
        first = self.waiting[0]
        if first.failures or not first.group:
            return first
        some = list(islice(self.waiting, LOOK_AHEAD))
        own = (task for task in some if task.group == group)
        free = (task for task in some if task.group not in others)
        return next(own, None) or next(free, first)


@dataclass(eq=False)
class Stint:
    """A job on a worker. `waited`: seconds that the driver watched it; `reported`: `waited` at the last log line."""

    began: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    reported: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began


@dataclass(eq=False)
class Task:
    """A job in progress, with its number of failures. `stint`: its current computing or writing."""

    job: Job
    stream: Stream
    failures: int = 0
    stint: Stint = field(default_factory=Stint)

    @property
    def group(self) -> str:
        """Group of the job; empty if it has none."""
        return self.job.group if isinstance(self.job, GenerateJob) else ""


@dataclass(eq=False)
class Member:
    """A worker. `since`: when it became idle; before it is `ready`, when it was requested.

    `place`: host and process, if known; `stint`: its start; `group`: that of its last job.
    """

    actor: Any
    since: float
    ready: bool = False
    place: tuple[str, int] | None = None
    stint: Stint = field(default_factory=Stint)
    computes: Task | None = None
    writes: list[Task] = field(default_factory=list)
    group: str = ""

    @property
    def tasks(self) -> list[Task]:
        """All jobs that the worker computes or writes."""
        return [*self.writes, *([self.computes] if self.computes else [])]

    def leave(self, task: Task) -> None:
        """Record that the worker no longer works on a task.

        Args:
            task: The task that it computed or wrote.
        """
        if task is self.computes:
            self.computes = None
        else:
            self.writes.remove(task)
        self.since = time.monotonic()
