"""A pool of long-lived Ray actors with a bounded window: a worker computes one job while it writes another.

Actors are used because Ray's tasks would load the model again for each job. One thread drives them all: it starts
workers while there is work and room in the cluster, assigns jobs to workers that are ready, and receives results.
Other jobs wait in the driver: none is assigned to a worker that has no place yet, so that ready workers take them. A
worker that dies, or whose device is in an unknown state, is replaced. Its job is tried again, after two failures
sample by sample.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any

import ray

from skewbench.sql import LakeUnreachable
from skewbench.storage.receipts import Receipt
from skewbench.tasks.jobs import TRIES, GenerateJob, Job, Needs, Outcome, format_error
from skewbench.tasks.pool.actor import Actor
from skewbench.tasks.pool.cluster import check_cluster, largest_node, resources_text, room_to_ask
from skewbench.tasks.pool.failures import WorkerHungError, cause, deadly
from skewbench.tasks.pool.hangs import HangWatch
from skewbench.tasks.pool.records import Member, Stint, Stream, Task
from skewbench.tasks.pool.shipping import explain_unfit_node
from skewbench.tasks.setting import BrokenDeviceError
from skewbench.vocabulary.errors import RunError

POLL = 0.5
"""Seconds between two checks whether the run was stopped."""
LOOK = 5.0
"""Seconds between two checks of the cluster: whether it answers, and whether it has grown."""
IDLE = 60.0
"""Seconds after which an idle worker is stopped."""
BEHIND = 2
"""Maximum number of computed but unwritten jobs of a worker. At this number it waits."""
SAY = 30.0
"""Seconds without any worker after which the pool logs the reason for waiting."""
_WRITING = "writing"
_STOPPED = "the run was stopped; run the same command again to resume"

logger = logging.getLogger(__name__)


class WorkerPool:
    """Up to `count` workers, warm from one job to the next. `run` may be called from several threads.

    Args:
        needs: What a worker needs.
        count: Number of workers; None: as many as the cluster has room for, also when it grows or shrinks meanwhile.
        worker: The class of the actors; it is given `needs`, and has `ready()`, `compute(job)` and, in a thread of its
            own, `write(job)`.
        hang_limit: Seconds after which a worker that does not answer is replaced (`WorkerSpec.hang_limit`).
    """

    def __init__(self, needs: Needs, count: int | None, worker: type = Actor, hang_limit: float | None = None) -> None:
        self._needs, self._count, self._worker = needs, count, worker
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._why = RunError(_STOPPED)
        self._driver = threading.Thread(target=self._drive, daemon=True, name="pool")
        # only the driving thread uses the following attributes
        self._members: list[Member] = []
        self._streams: list[Stream] = []
        self._limit = count or 1
        self._deaths = 0
        self._watch = HangWatch(hang_limit)
        self._looked = self._reported = 0.0

    def __enter__(self) -> "WorkerPool":
        self._driver.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._driver.join()

    @property
    def late(self) -> tuple[str, ...]:
        """Work that takes far longer than usual now, one line each."""
        return self._watch.lines

    def stop(self) -> None:
        """Make every `run` raise `RunError` soon. Finished jobs keep their receipts."""
        self._stopped.set()
        self._events.put(lambda: None)

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Run jobs in any order, and yield each outcome when it is there.

        Args:
            jobs: The jobs.

        Raises:
            RunError: The pool cannot continue.
        """
        stream = Stream()
        stream.waiting.extend(Task(job, stream) for job in jobs)
        left = len(stream.waiting)
        self._events.put(partial(self._streams.append, stream))
        try:
            while left:
                if self._stopped.is_set():
                    raise self._why
                try:
                    outcome = stream.outcomes.get(timeout=POLL)
                except queue.Empty:
                    continue
                if isinstance(outcome, str):
                    logger.warning(outcome)
                    continue
                left -= 1
                yield outcome
        finally:
            self._events.put(partial(self._leave, stream))

    def _drive(self) -> None:
        try:
            while not self._stopped.is_set():
                self._look()
                self._resize()
                self._hand_out()
                try:
                    self._events.get(timeout=LOOK)()
                except queue.Empty:
                    continue
        except RunError as error:
            self._why = error
        except Exception as error:
            logger.exception("the pool failed")
            self._why = RunError(f"the worker pool failed: {format_error(error)}")
        finally:
            self._stopped.set()
            for member in self._members:
                ray.kill(member.actor)

    def _look(self) -> None:
        """Check the cluster every `LOOK` seconds: its health, its capacity, and workers that hang or do not start."""
        now = time.monotonic()
        watched = now - self._looked
        if watched < LOOK:
            return
        self._looked = now
        check_cluster()
        self._replace_hung(min(watched, 2 * LOOK))
        if self._count is None:
            self._limit = room_to_ask(*self._resources())
        if any(member.ready for member in self._members):
            self._reported = 0.0
        elif self._members and self._streams:
            self._say_what_is_waited_for(now - min(member.since for member in self._members))

    def _replace_hung(self, watched: float) -> None:
        """Log work that takes too long for its caller, and replace the workers that are over the limit."""
        for late in self._watch.check(self._members, watched):
            stream = late.task.stream if late.task else next(iter(self._streams), None)
            if stream:
                stream.outcomes.put(late.line)
            if not late.overdue or late.member not in self._members:
                continue
            error = WorkerHungError(late.line)
            if late.task is None:
                self._died(late.member, error)
            else:
                late.member.leave(late.task)
                self._failed(late.member, late.task, error)

    def _say_what_is_waited_for(self, waited: float) -> None:
        """Log the reason for waiting: after `SAY` seconds, and each time the wait has doubled."""
        if waited < max(SAY, 2 * self._reported):
            return
        self._reported = waited
        cpus, gpus = self._resources()
        requested = f"requested: {len(self._members)} with {f'{gpus:g} GPUs' if gpus else f'{cpus:g} CPUs'} each"
        self._streams[0].outcomes.put(f"no worker has started within {waited:.0f} s; {requested}; {resources_text()}")

    def _resize(self) -> None:
        """Start workers while there is work and room for more; stop those that have been idle for `IDLE` seconds."""
        waiting = sum(len(stream.waiting) for stream in self._streams)
        busy = sum(bool(member.tasks) for member in self._members)
        while len(self._members) < min(self._limit, waiting + busy):
            self._start_member()
        if not waiting:
            now = time.monotonic()
            for member in [m for m in self._members if not m.tasks and now - m.since > IDLE]:
                self._drop(member)

    def _hand_out(self) -> None:
        for member in self._members:
            if member.ready and (task := self._next_for(member)):
                member.computes, task.stint = task, Stint()
                self._expect(member.actor.compute.remote(task.job), partial(self._computed, member, task))

    def _next_for(self, member: Member) -> Task | None:
        """Take a worker's next job. A job that failed before runs alone: if the worker dies, the job is the cause."""
        if member.computes or len(member.writes) >= BEHIND or any(task.failures for task in member.writes):
            return None
        stream = next((stream for stream in self._streams if stream.waiting), None)
        if stream is None:
            return None
        task = stream.next_for(member.group, {other.group for other in self._members if other is not member})
        if task.failures and member.writes:
            return None
        stream.waiting.remove(task)
        member.group = task.group
        return task

    def _start_member(self) -> None:
        cpus, gpus = self._resources()
        options = {"num_cpus": cpus, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
        actor = ray.remote(concurrency_groups={_WRITING: 1}, **options)(self._worker).remote(self._needs)
        member = Member(actor, time.monotonic())
        self._members.append(member)
        self._expect(actor.ready.remote(), partial(self._stands, member))

    def _resources(self) -> tuple[float, float]:
        """Return a worker's CPUs and GPUs. The CPUs are limited to those of the largest node, so that it can start."""
        needs = self._needs
        return (0.0, needs.gpus) if needs.gpus else (min(needs.threads, max(1.0, largest_node())), 0.0)

    def _expect(self, reference: Any, then: Callable[["Future[Any]"], None]) -> None:
        """Run `then` in the driving thread when the worker has answered."""
        reference.future().add_done_callback(lambda future: self._events.put(partial(then, future)))

    def _stands(self, member: Member, future: "Future[Any]") -> None:
        if member not in self._members:
            return
        error = future.exception()
        if error:
            if reason := explain_unfit_node(cause(error)):
                raise RunError(reason)
            self._died(member, error)
        else:
            member.ready, member.since = True, time.monotonic()

    def _computed(self, member: Member, task: Task, future: "Future[None]") -> None:
        if member not in self._members:
            return
        member.leave(task)
        if error := future.exception():
            self._failed(member, task, error)
            return
        self._watch.finished("computing", task.job, task.stint.seconds)
        task.stint = Stint()
        member.writes.append(task)
        write = member.actor.write.options(concurrency_group=_WRITING)
        self._expect(write.remote(task.job), partial(self._written, member, task))

    def _written(self, member: Member, task: Task, future: "Future[Receipt]") -> None:
        if member not in self._members:
            return
        member.leave(task)
        if member.writes:  # the next one begins now
            member.writes[0].stint = Stint()
        if error := future.exception():
            self._failed(member, task, error)
            return
        self._watch.finished("writing", task.job, task.stint.seconds)
        self._deaths = 0
        task.stream.outcomes.put(Outcome(task.job, future.result()))

    def _failed(self, member: Member, task: Task, error: BaseException) -> None:
        raised = cause(error)
        if isinstance(raised, LakeUnreachable):  # it would fail every job on every worker
            raise RunError(f"{raised}; run the same command again to resume") from None
        if deadly(error):
            for other in member.tasks:
                self._try_again(other, error)
            self._died(member, error)
        if isinstance(raised, BrokenDeviceError) and isinstance(task.job, GenerateJob):
            ids, reason = raised.args
            task.job = replace(task.job, given_up=(*task.job.given_up, *((name, reason) for name in ids)))
            task.stream.waiting.appendleft(task)
            self._deaths = 0  # the sample that caused it is given up
        else:
            self._try_again(task, error)

    def _try_again(self, task: Task, error: BaseException) -> None:
        task.failures += 1
        if task.failures >= TRIES:
            task.stream.outcomes.put(Outcome(task.job, None, format_error(cause(error))))
        else:
            task.job = replace(task.job, one_by_one=task.failures >= TRIES - 1)
            # a job that kills workers is tried at once, to find it; any other may succeed later on another worker
            (task.stream.waiting.appendleft if deadly(error) else task.stream.waiting.append)(task)

    def _died(self, member: Member, error: BaseException) -> None:
        self._drop(member)
        self._deaths += 1
        if self._deaths > TRIES * self._limit:
            raise RunError(f"workers keep dying; the last error: {format_error(cause(error))}") from None

    def _drop(self, member: Member) -> None:
        self._members.remove(member)
        ray.kill(member.actor)

    def _leave(self, stream: Stream) -> None:
        """Forget a caller that is done or wants no more: workers that run its jobs are stopped."""
        if stream in self._streams:
            self._streams.remove(stream)
        for member in [m for m in self._members if any(task.stream is stream for task in m.tasks)]:
            for task in member.tasks:
                task.stream.waiting.append(task)  # another caller's job starts again
            self._drop(member)
