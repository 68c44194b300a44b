"""Forwards the log of workers to the driver at once, so that it outlives a worker that dies.

`logging`'s own queue handler and listener, with a queue of Ray's between them. Bounded at both ends: a worker says so
many lines per minute, and counts the rest; the queue drops lines beyond its capacity.
"""

import logging
import os
import socket
import threading
import time
from collections import Counter
from logging.handlers import QueueHandler, QueueListener
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.queue import Full, Queue

from skewbench.tasks.jobs import Needs
from skewbench.tasks.pool.actor import Actor
from skewbench.tasks.progress import LOGGER as PROGRESS

LINES, MINUTE = 60, 60.0
"""Maximum number of lines of a worker per period, and the period in seconds."""
CAPACITY = 1000
"""Lines that wait for the driver."""
LONGEST = 8000
"""Characters of a line, tracebacks included."""
Logger = logging.Logger | logging.LoggerAdapter[Any]


class WorkerLog:
    """`with WorkerLog(logger) as log:` logs to `logger` what workers of the class `log.worker` log."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def __enter__(self) -> "WorkerLog":
        here = ray.get_runtime_context().get_node_id()
        pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=True)
        self.queue = Queue(CAPACITY, {"num_cpus": 0, "scheduling_strategy": pinned})
        self._listener = _Listener(self.queue, _Relay(self._logger))
        self._listener.start()
        return self

    @property
    def worker(self) -> type[Actor]:
        """A worker that logs to the driver, for the pool."""
        log = self.queue

        class LoggingWorker(Actor):
            def __init__(self, needs: Needs) -> None:
                log_to(log)
                super().__init__(needs)

        return LoggingWorker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.stop()
        self.queue.shutdown(force=True)


def log_to(queue: Queue) -> None:
    """Send a worker's log and Python's warnings to the driver.

    Args:
        queue: The queue that the driver reads.
    """
    handler = _Handler(queue)
    handler.setFormatter(logging.Formatter(f"worker {os.getpid()} on {socket.gethostname()}: %(message)s"))
    handler.addFilter(Bound())
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("skewbench").setLevel(logging.INFO)  # other loggers: only warnings
    logging.captureWarnings(True)


class Bound(logging.Filter):
    """Limits lines per minute, with a separate limit for warnings and errors, which other lines must not hide.

    The first line of the next minute has the number of dropped lines. Progress reports have a separate limit, and the
    next report replaces a dropped one.
    """

    def __init__(self, lines: int = LINES, seconds: float = MINUTE) -> None:
        super().__init__()
        self._lines, self._seconds = lines, seconds
        self._began, self._left_out = 0.0, 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is within the limit of lines per period.

        Args:
            record: The record. The first one of the next period gets the number of dropped lines.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._began >= self._seconds:
                if self._left_out and record.name != PROGRESS:
                    record.msg, record.args = f"[{self._left_out} lines left out] {record.getMessage()}", None
                self._began, self._left_out, self._counts = now, 0, Counter()
            grave = "grave" if record.levelno >= logging.WARNING else "line"
            kind = PROGRESS if record.name == PROGRESS else grave
            self._counts[kind] += 1
            if self._counts[kind] > self._lines:
                self._left_out += kind != PROGRESS
                return False
            return True


class _Handler(QueueHandler):
    """Drops records that cannot be sent, so that logging never blocks a job."""

    def enqueue(self, record: logging.LogRecord) -> None:
        record.msg = record.message = str(record.msg)[:LONGEST]
        try:
            self.queue.put_nowait(record)
        except (Full, RayError):
            return


class _Listener(QueueListener):
    """Ends when the process of the queue ends."""

    queue: Queue

    def dequeue(self, block: bool) -> Any:
        try:
            return self.queue.get(block)
        except RayError:
            return None  # what `stop` sends

    def enqueue_sentinel(self) -> None:
        try:
            self.queue.put(None, timeout=1.0)
        except (Full, RayError):
            self.queue.shutdown(force=True)


class _Relay(logging.Handler):
    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == PROGRESS:
            logging.getLogger(PROGRESS).handle(record)
            return
        self._logger.log(record.levelno, "%s", record.getMessage())
