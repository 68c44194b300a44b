"""The steps of a run's driver, wherever its jobs are executed: generate, score, analyse."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from skewbench.sql import connect
from skewbench.storage.commit import commit_manifest
from skewbench.storage.lease import Lease
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.records import Manifest, Status
from skewbench.storage.state import RunState
from skewbench.storage.store import Store
from skewbench.storage.verify import reporting_broken_parts
from skewbench.tasks.jobs import Execute, Needs, Outcome
from skewbench.tasks.run import (
    Run,
    commit,
    commit_receipts,
    generation_left,
    missing_metrics,
    scoring_left,
    workers_of,
)
from skewbench.tasks.scoring import with_metrics
from skewbench.tasks.shortfalls import is_generated, without_required

logger = logging.getLogger(__name__)


def generate_left(run: Run, state: RunState, execute: Execute) -> list[Outcome]:
    """Generate and measure the shards that have no receipt or are retried, and commit.

    Args:
        run: The run.
        state: Its state; it is brought up to date.
        execute: Runs the jobs.

    Returns:
        The outcomes.
    """
    jobs = generation_left(run, state)
    if again := sum(bool(job.retry) for job in jobs):
        logger.warning("generating %d shards again: too many of their samples had no usable image", again)
    outcomes = execute("generate", jobs)
    state.fold(outcome.receipt for outcome in outcomes)
    commit(run, state, outcomes)
    return outcomes


def score_left(run: Run, state: RunState, execute: Execute, before: Sequence[Outcome]) -> None:
    """Compute missing scores, and commit.

    Args:
        run: The run.
        state: Its state; it is brought up to date.
        execute: Runs the jobs.
        before: Earlier outcomes of this start, whose failures stay listed.
    """
    outcomes = execute("score", scoring_left(run, state))
    state.fold(outcome.receipt for outcome in outcomes)
    commit(run, state, [*before, *outcomes])


def needs_to_score(store: Store, manifest: Manifest, gpus: float | None) -> Needs:
    """Return the needs of a worker that only scores a run.

    Args:
        store: The lake.
        manifest: The run's manifest.
        gpus: GPUs per worker; None: as in the run.
    """
    threads = int(manifest.experiment.get("generation", {}).get("threads", 1))
    return Needs(store.lake, None, None, threads, workers_of(manifest).gpus if gpus is None else gpus)


def commit_scores(store: Store, state: RunState, metrics: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    """Add metrics to a run's experiment, and commit the new scores.

    Args:
        store: The lake.
        state: The run's state; it is brought up to date.
        metrics: Names of the scorers.
        outcomes: Outcomes of this start, whose failures the manifest lists.
    """
    manifest = state.manifest
    scored = tuple(dict.fromkeys((*manifest.experiment.get("metrics", []), *metrics)))
    state.fold(outcome.receipt for outcome in outcomes)
    state.manifest = with_metrics(replace(manifest, experiment={**manifest.experiment, "metrics": scored}), metrics)
    commit_receipts(store, state, outcomes, manifest.status)


def analyse_run(store: Store, state: RunState, lease: Lease) -> Manifest:
    """Write the answers with their intervals, replacing earlier ones.

    Args:
        store: The lake.
        state: The run's state.
        lease: The driver's lease of the run.

    Returns:
        The manifest. It lists metrics without values, and is `incomplete` if a required one has none in a cell.

    Raises:
        RunError: Another driver has taken the run over.
    """
    from skewbench.tasks.analyse import analyse  # imported here: scipy would delay the first image

    if state.uncommitted():  # an earlier driver ended before it could commit them; readers see only what is committed
        commit_receipts(store, state, [], state.manifest.status)
    manifest = state.manifest
    with reporting_broken_parts(store, manifest), connect(store.lake, manifest.run_id) as lake:
        answers = analyse(lake, manifest.run_id)
        missing = missing_metrics(lake)
        without = without_required(lake, manifest.experiment.get("required") or ())
    lease.check()
    part = write_part(store, "analysis", manifest.run_id, "analysis", new_attempt(), answers)
    others = tuple(other for other in manifest.parts if other.table != "analysis")
    of_cells = [shortfall for shortfall in manifest.shortfalls if "metric" not in shortfall]
    status: Status = "committed" if is_generated(state) and not without else "incomplete"
    judged = replace(manifest, status=status, shortfalls=[*of_cells, *without], missing_metrics=missing)
    return commit_manifest(store, replace(judged, parts=(*others, part)), written=[part], state=state)
