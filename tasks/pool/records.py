"""Records of the pool: callers, jobs and workers."""

import queue
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from skewbench.tasks.jobs import Job, Outcome


@dataclass(eq=False)
class Stream:
    """A caller's waiting jobs, and the queue of its outcomes and log lines."""

    waiting: "deque[Task]" = field(default_factory=deque)
    outcomes: "queue.SimpleQueue[Outcome | str]" = field(default_factory=queue.SimpleQueue)


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


@dataclass(eq=False)
class Member:
    """A worker. `since`: when it became idle; before it is `ready`, when it was requested.

    `place`: host and process, if known; `stint`: its start.
    """

    actor: Any
    since: float
    ready: bool = False
    place: tuple[str, int] | None = None
    stint: Stint = field(default_factory=Stint)
    computes: Task | None = None
    writes: list[Task] = field(default_factory=list)

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
