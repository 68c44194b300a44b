"""Finds workers that hang: work that takes far longer than usual is logged, and stopped at a limit.

The usual time is the median over the pool's own finished jobs of the same kind, so that it fits the model and the
machine. Time counts only while the driver runs: after a pause of the driver no worker is late.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from skewbench.tasks.jobs import Job
from skewbench.tasks.pool.cluster import place_of
from skewbench.tasks.pool.records import Member, Stint, Task

MULTIPLE, FLOOR = 5.0, 60.0
"""Work is logged after this multiple of its usual time, and not before this many seconds. Shards of one run differ by
less than 5 times, even if a batch was halved twice; below a minute a busy machine or disk may be the reason."""
FIRST = 600.0
"""Seconds before work is logged while no job of its kind is finished: a worker's first job loads the weights."""
LIMIT_MULTIPLE, LIMIT_FLOOR, LIMIT_FIRST = 20.0, 3600.0, 12 * 3600.0
"""The same for the limit, if the experiment sets none."""
START, START_LIMIT = 600.0, 3600.0
"""Seconds before a starting worker is logged, and before it is replaced. A start does not depend on the shards."""
ONE_BY_ONE = 8.0
"""Multiple of its time that a shard may take sample by sample: on a GPU a batch takes little longer than one sample."""
REMEMBERED = 100
"""Number of finished jobs of a kind whose median is the usual time."""


@dataclass(frozen=True)
class Late:
    """Work that takes too long. `task`: None for a worker that starts; `line`: the log line that is due, or empty."""

    member: Member
    task: Task | None
    line: str
    overdue: bool


class HangWatch:
    """Learns the usual duration of work, and finds late work.

    Args:
        limit: Seconds after which work is overdue; 0: never; None: by the usual time.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._took: dict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.lines: tuple[str, ...] = ()
        """Late work, one line each."""

    def finished(self, doing: str, job: Job, seconds: float) -> None:
        """Record the duration of a job.

        Args:
            doing: `computing` or `writing`.
            job: The job.
            seconds: Its duration.
        """
        self._took[doing, _kind(job)].append(seconds)

    def check(self, members: Iterable[Member], seconds: float) -> list[Late]:
        """Find the work that is late.

        Args:
            members: The pool's workers.
            seconds: Seconds since the last check.
        """
        found, lines = [], []
        for member in members:
            for doing, task, stint in _work(member):
                stint.waited += seconds
                patience, limit = self._bounds(doing, task)
                overdue = limit is not None and stint.waited >= limit
                if stint.waited < patience and not overdue:
                    continue
                line = self._line(member, doing, task, stint, limit)
                lines.append(line)
                new = overdue or stint.waited >= 2 * stint.reported
                if new:
                    stint.reported = stint.waited
                    found.append(Late(member, task, line, overdue))
        self.lines = tuple(lines)
        return found

    def _usual(self, doing: str, task: Task | None) -> float | None:
        took = self._took.get((doing, _kind(task.job))) if task else None
        return median(took) if took else None

    def _bounds(self, doing: str, task: Task | None) -> tuple[float, float | None]:
        """Seconds after which work is named, and after which it is overdue."""
        if task is None:
            return START, None if self._limit == 0 else START_LIMIT
        usual = self._usual(doing, task)
        slower = ONE_BY_ONE if task.job.one_by_one and doing == "computing" else 1.0
        patience = slower * (FIRST if usual is None else max(FLOOR, MULTIPLE * usual))
        if self._limit is not None:
            return patience, slower * self._limit or None
        return patience, slower * (LIMIT_FIRST if usual is None else max(LIMIT_FLOOR, LIMIT_MULTIPLE * usual))

    def _line(self, member: Member, doing: str, task: Task | None, stint: Stint, limit: float | None) -> str:
        host, process = member.place or place_of(member.actor) or ("an unknown host", 0)
        who = f"process {process} on {host}"
        if task is None:
            what = f"a worker ({who}) has been starting for {stint.waited:.0f} s"
        else:
            what = f"{task.job.key} of cell {task.job.cell}: {who} has been {doing} for {stint.waited:.0f} s"
        usual = self._usual(doing, task)
        usually = f" (usually {usual:.1f} s)" if usual is not None else ""
        if limit is None:
            return f"{what}{usually}; there is no limit, because workers.hang_limit is 0"
        if stint.waited >= limit:
            return f"{what}{usually}, over the limit of {limit:.0f} s: replacing the worker"
        return f"{what}{usually}; the worker will be replaced after {limit:.0f} s"


def _work(member: Member) -> Iterator[tuple[str, Task | None, Stint]]:
    """Yield a worker's current work: its start, once it has a place; what it computes; the first job that it writes."""
    if not member.ready:
        member.place = member.place or place_of(member.actor)
        if member.place:
            yield "starting", None, member.stint
        return
    if member.computes:
        yield "computing", member.computes, member.computes.stint
    if member.writes:
        yield "writing", member.writes[0], member.writes[0].stint


def _kind(job: Job) -> str:
    return str(getattr(job, "scorer", "generation"))
