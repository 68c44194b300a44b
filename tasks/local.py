"""Runs without Ray and Prefect: one worker in this process, one job after the other."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from skewbench.sql import LakeUnreachable
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim
from skewbench.storage.records import Manifest
from skewbench.storage.state import RunState, read_state
from skewbench.storage.store import Store
from skewbench.tasks.collection import collection_paused
from skewbench.tasks.drive import analyse_run, commit_scores, generate_left, needs_to_score, score_left
from skewbench.tasks.jobs import TRIES, Job, Needs, Outcome, format_error
from skewbench.tasks.run import Run, caught_up, generation_left, scoring_left
from skewbench.tasks.scoring import left_of_run
from skewbench.tasks.setting import DEVICE_ERRORS, BrokenDeviceError
from skewbench.vocabulary.errors import RunError

if TYPE_CHECKING:
    from skewbench.tasks.worker import Worker


def run_locally(run: Run, observe: Callable[[Outcome], None]) -> Manifest:
    """Run the flow `benchmark` in this process.

    Args:
        run: The run.
        observe: Called with each outcome.

    Returns:
        The run's manifest.

    Raises:
        RunError: The run cannot continue here, or another driver has taken it over.
    """
    with Lease(run.store, run.id) as lease:
        state = caught_up(run, lease)
        if generation_left(run, state) or scoring_left(run, state):
            execute = LocalWorker(run.needs, lease, observe)
            score_left(run, state, execute, generate_left(run, state, execute))
        return finish_locally(run.store, state, lease)


def score_locally(
    store: Store,
    run_id: str,
    metrics: Sequence[str],
    reference: str | None,
    gpus: float | None,
    observe: Callable[[Outcome], None],
) -> Manifest:
    """Run the flow `score` in this process.

    Args:
        store: The lake.
        run_id: The run.
        metrics: Names of the scorers.
        reference: Real images for metrics of whole cells, or None.
        gpus: GPUs of the worker; None: as in the run.
        observe: Called with each outcome.

    Returns:
        The run's manifest.

    Raises:
        RunError: The run cannot continue here, or another driver has taken it over.
    """
    with Lease(store, run_id) as lease:
        state = read_state(store, claim(store, lease))
        execute = LocalWorker(needs_to_score(store, state.manifest, gpus), lease, observe)
        commit_scores(store, state, metrics, execute("score", left_of_run(store, state, metrics, reference)))
        return finish_locally(store, state, lease)


def finish_locally(store: Store, state: RunState, lease: Lease) -> Manifest:
    """Analyse a run and write its report.

    Args:
        store: The lake.
        state: The run's state.
        lease: The driver's lease of the run.

    Returns:
        The run's manifest.
    """
    from skewbench.tasks.report import report_run  # imported here: Altair would delay the first image

    manifest = analyse_run(store, state, lease)
    lease.confirm()
    report_run(store, manifest.run_id)
    return manifest


class LocalWorker:
    """Executes jobs as a worker of the pool would: three tries, the last one sample by sample.

    Args:
        needs: What the worker needs.
        lease: The driver's lease of the run. The worker stops when another driver takes the run over.
        observe: Called with each outcome.
    """

    def __init__(self, needs: Needs, lease: Lease, observe: Callable[[Outcome], None]) -> None:
        self._needs, self._lease, self._observe = needs, lease, observe

    def __call__(self, kind: str, jobs: Sequence[Job]) -> list[Outcome]:
        """Execute the jobs (`Execute`)."""
        outcomes = []
        for job in jobs:
            outcomes.append(self._outcome(job))
            self._observe(outcomes[-1])
        return outcomes

    @cached_property
    def _worker(self) -> "Worker":
        with collection_paused():
            from skewbench.tasks.worker import Worker  # imported here: a finished run needs no torch

        return Worker(self._needs)

    def _outcome(self, job: Job) -> Outcome:
        for failures in range(TRIES):
            self._lease.check()
            try:
                receipt = self._worker.run(replace(job, one_by_one=failures == TRIES - 1))
            except LakeUnreachable as error:
                raise RunError(f"{error}; run the same command again to resume") from None
            except Exception as error:
                last = error
                if any(sign in str(error) for sign in DEVICE_ERRORS):  # only a new process has a working device again
                    reason = error.args[-1] if isinstance(error, BrokenDeviceError) else format_error(error)
                    raise RunError(
                        f"the device failed: {reason}; resume without --local to skip such samples"
                    ) from None
            else:
                return Outcome(job, receipt)
        return Outcome(job, None, format_error(last))
