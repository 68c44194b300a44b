"""A pool of long-lived Ray actors with a bounded window: one job a worker, the rest waits in the driver.

Actors of our own, since tasks would load the model again for each item. A worker that dies, or whose device is in an
unknown state, is killed and replaced; its job is tried again, after two failures sample by sample.
"""

import os
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from tasks.errors import InputError, RunError
from tasks.generate import Setting
from tasks.lake.parts import Receipt
from tasks.models import ModelSource
from tasks.worker import Job, Worker

TRIES = 3
"""Times a job is started; the last time sample by sample."""
POLL = 0.5
"""Seconds between two looks at whether the run was stopped."""
KNOCK = 10.0
"""Seconds that a cluster has to answer."""
LOOK = 5.0
"""Seconds without an outcome between two looks at whether the cluster is still there."""
PATIENCE = "20"
"""Heartbeats, 3 s apart, that a local Ray may miss: on a busy machine it misses Ray's own 5 and is declared dead."""
_DEVICE_ERRORS = ("CUDA error", "AcceleratorError", "device-side assert")


@dataclass(frozen=True)
class Outcome:
    """A job and what came of it: a receipt, or the last error of a job that is set aside."""

    job: Job
    receipt: Receipt | None
    error: str | None = None


@dataclass(frozen=True)
class Needs:
    """What one worker needs. `setting` and `source`: None where it only scores."""

    lake: str
    setting: Setting | None
    source: ModelSource | None
    threads: int
    gpus: float


@dataclass
class _Running:
    job: Job
    worker: Any
    failures: int


def connect_ray(address: str | None, gpus: float) -> None:
    """Join the cluster at `address`, or start a local Ray where none is given. Raises `InputError`.

    `gpus`: how many a worker needs; a cluster that has fewer is an error.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    if not ray.is_initialized():
        _init_ray(address)
    there = ray.cluster_resources().get("GPU", 0.0)
    if gpus > there:
        raise InputError(f"workers.gpus {gpus:g}: {'the cluster' if address else 'this machine'} has {there:g} GPUs")


def _init_ray(address: str | None) -> None:
    if address:
        _knock(address)
    else:
        os.environ.setdefault("RAY_health_check_failure_threshold", PATIENCE)
    started: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="error", **started)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"ray address {address!r}: no cluster answers there ({str(error).splitlines()[0]})") from None


def _knock(address: str) -> None:
    """Ask the address for a connection first: Ray itself tries for minutes, and then ends the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not (colon and port.isdigit()):
        raise InputError(f"ray address {address!r}: HOST:PORT, ray://HOST:PORT or auto is wanted")
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"ray address {address!r}: no cluster answers there ({error})") from None


class WorkerPool:
    """`count` workers, started at once and warm until the pool closes. `run` may be called from several threads."""

    def __init__(self, needs: Needs, count: int | None) -> None:
        self._needs = needs
        self._count = count or _workers_that_fit(needs)
        self._idle: queue.Queue[Any] = queue.Queue()
        self._stopped = threading.Event()
        self._deaths = 0

    def __enter__(self) -> "WorkerPool":
        for _ in range(self._count):
            self._idle.put(self._start_worker())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        while not self._idle.empty():
            ray.kill(self._idle.get())

    def stop(self) -> None:
        """Make every `run` raise `RunError` soon. What workers have finished keeps its receipts."""
        self._stopped.set()

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Do jobs, in any order; yields each outcome as it comes."""
        waiting = deque((job, 0) for job in jobs)
        running: dict[Any, _Running] = {}
        looked = time.monotonic()
        try:
            while waiting or running:
                if self._stopped.is_set():
                    raise RunError("the run was stopped; the same command goes on where it was")
                while waiting and (worker := self._take(wait=not running)):
                    job, failures = waiting.popleft()
                    running[worker.run.remote(job)] = _Running(job, worker, failures)
                done, _ = ray.wait(list(running), timeout=POLL) if running else ([], [])
                if not done and time.monotonic() - looked > LOOK:
                    _check_cluster()
                    looked = time.monotonic()
                for reference in done:
                    outcome = self._finish(reference, running.pop(reference), waiting)
                    if outcome:
                        yield outcome
        finally:
            for left in running.values():
                ray.kill(left.worker)

    def _finish(self, reference: Any, was: _Running, waiting: "deque[tuple[Job, int]]") -> Outcome | None:
        try:
            receipt = ray.get(reference)
        except RayError as error:
            return self._failed(error, was, waiting)
        self._deaths = 0
        self._idle.put(was.worker)
        return Outcome(was.job, receipt)

    def _failed(self, error: RayError, was: _Running, waiting: "deque[tuple[Job, int]]") -> Outcome | None:
        text = _told(error)
        if isinstance(error, RayActorError) or any(sign in str(error) for sign in _DEVICE_ERRORS):
            ray.kill(was.worker)
            self._deaths += 1
            if self._deaths > TRIES * self._count:
                raise RunError(f"workers keep dying, the last one of: {text}") from None
            self._idle.put(self._start_worker())
        else:
            self._idle.put(was.worker)
        failures = was.failures + 1
        if failures >= TRIES:
            return Outcome(was.job, None, text)
        waiting.append((replace(was.job, one_by_one=failures >= TRIES - 1), failures))
        return None

    def _take(self, wait: bool) -> Any | None:
        try:
            return self._idle.get(timeout=POLL if wait else 0.001)
        except queue.Empty:
            return None

    def _start_worker(self) -> Any:
        needs = self._needs
        options = {"num_cpus": 0 if needs.gpus else needs.threads, "num_gpus": needs.gpus}
        actor = ray.remote(Worker).options(**options)
        return actor.remote(needs.lake, needs.setting, needs.source, needs.threads, needs.gpus)


def _check_cluster() -> None:
    """Raises `RunError` where the driver's node is dead: nothing would ever come back, and Ray waits for ever."""
    here = ray.get_runtime_context().get_node_id()
    if not any(node["Alive"] and node["NodeID"] == here for node in ray.nodes()):
        raise RunError("Ray's process on this machine is gone; the same command goes on where it was")


def _workers_that_fit(needs: Needs) -> int:
    total = ray.cluster_resources()
    fitting = total.get("GPU", 0.0) / needs.gpus if needs.gpus else total.get("CPU", 1.0) / needs.threads
    return max(1, int(fitting))


def _told(error: RayError) -> str:
    """The error that was raised on the worker, in one line, without Ray's traceback."""
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())}"[:500]
