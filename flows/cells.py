"""Drives jobs through the pool, with one Prefect task per cell: the UI shows cells, their progress and retries."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.states import State
from prefect.tasks import Task

from skewbench.flows.observers import registered
from skewbench.flows.server_loss import call_server
from skewbench.storage.receipts import scan_receipts
from skewbench.storage.store import Store
from skewbench.tasks.jobs import Job, Outcome
from skewbench.tasks.pool import WorkerPool
from skewbench.tasks.shortfalls import UNUSABLE
from skewbench.vocabulary.errors import RunError

RETRIES, DELAY = 2, 5.0
"""Retries of a cell's task, and seconds before each. The pool itself retries jobs and replaces dead workers. These
retries are for a server or file system that is unavailable for a short time."""


_observers: list[Callable[[Outcome], None]] = []


def observed(observe: Callable[[Outcome], None]) -> AbstractContextManager[None]:
    """Within the block, pass on the outcomes of this process's pool.

    Args:
        observe: Called with each outcome, from the thread of its cell's task.
    """
    return registered(_observers, observe)


def _may_pass(_task: "Task[..., Any]", _run: TaskRun, state: "State[Any]") -> bool:
    return not isinstance(state.data, RunError)  # the pool was stopped, or has given up


@task(
    name="cell",
    task_run_name="{kind} {cell}",
    cache_policy=NO_CACHE,
    retries=RETRIES,
    retry_delay_seconds=DELAY,
    retry_condition_fn=_may_pass,
)
def do_cell(kind: str, cell: str, pool: WorkerPool, store: Store, run_id: str, jobs: Sequence[Job]) -> list[Outcome]:
    """Drive one cell's jobs through the shared pool. A retry runs only jobs without a receipt.

    Args:
        kind: Kind of the jobs, for names in the UI.
        cell: Name of the cell.
        pool: The pool, which all cells share.
        store: The lake.
        run_id: The run.
        jobs: Jobs of the cell, at least one.

    Returns:
        One outcome per job: those with a receipt first, then in the order in which they ended.
    """
    logger = get_run_logger()
    done = {one.key: one for one in scan_receipts(store, run_id)[0]} if task_run.run_count > 1 else {}
    outcomes = [Outcome(job, done[job.key]) for job in jobs if job.key in done]
    progress = call_server(partial(_begin_progress, f"{kind} {cell}", len(outcomes) / len(jobs)))
    for outcome in pool.run([job for job in jobs if job.key not in done]):
        outcomes.append(outcome)
        for observe in _observers:
            observe(outcome)
        if outcome.error:
            logger.error("%s failed permanently: %s", outcome.job.key, outcome.error)
        if progress is not None:
            call_server(partial(update_progress_artifact, progress, 100.0 * len(outcomes) / len(jobs)))
    unusable = sum(outcome.receipt.counts.get(name, 0) for outcome in outcomes if outcome.receipt for name in UNUSABLE)
    what = f"; {unusable} samples have no usable image" if unusable else ""
    logger.info("%s %s: %d of %d jobs done%s", kind, cell, sum(o.error is None for o in outcomes), len(jobs), what)
    return outcomes


def _begin_progress(description: str, share: float) -> UUID:
    return create_progress_artifact(100.0 * share, description=description)  # type: ignore[return-value]


def by_cell(pool: WorkerPool, store: Store, run_id: str, kind: str, jobs: Sequence[Job]) -> list[Outcome]:
    """Drive jobs through the pool with one Prefect task per cell, all at once.

    Args:
        pool: The pool, which all cells share.
        store: The lake.
        run_id: The run.
        kind: Kind of the jobs, for names in the UI.
        jobs: Jobs of any cells.

    Returns:
        One outcome per job, cell by cell.
    """
    ordered = sorted(jobs, key=lambda job: job.cell)
    cells = [(cell, list(group)) for cell, group in groupby(ordered, key=lambda job: job.cell)]
    futures = [do_cell.submit(kind, cell, pool, store, run_id, group) for cell, group in cells]
    return [outcome for future in futures for outcome in future.result()]
