"""The flow `benchmark`: from an experiment to a report. Started again, it goes on where it was."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from sql import connect, query
from tasks.analyse import analyse
from tasks.errors import RunError
from tasks.experiment import Experiment
from tasks.lake.lease import Lease
from tasks.lake.manifest import Manifest
from tasks.lake.parts import new_attempt, write_part
from tasks.pool import Outcome, WorkerPool, connect_ray
from tasks.report import report_run
from tasks.run import Run, begin, commit, generation_left, missing_metrics, prepare, scoring_left
from tasks.worker import Job


@task(name="cell", task_run_name="{kind} {cell}", cache_policy=NO_CACHE)
def do_cell(kind: str, cell: str, pool: WorkerPool, jobs: list[Job]) -> list[Outcome]:
    """Drive one cell's jobs through the shared pool."""
    logger = get_run_logger()
    progress: UUID = create_progress_artifact(0.0, description=f"{kind} {cell}")  # type: ignore[assignment]
    outcomes = []
    for outcome in pool.run(jobs):
        outcomes.append(outcome)
        if outcome.error:
            logger.error("%s is set aside: %s", outcome.job.key, outcome.error)
        update_progress_artifact(progress, 100.0 * len(outcomes) / len(jobs))
    logger.info("%s %s: %d of %d jobs done", kind, cell, sum(o.error is None for o in outcomes), len(jobs))
    return outcomes


@flow(name="benchmark", flow_run_name="benchmark {experiment.name}")
def benchmark(experiment: Experiment, lake: str = "lake", ray_address: str | None = None) -> str:
    """Generate, measure, score, analyse and report. Returns the run's id.

    Args:
        experiment: What to run.
        lake: Folder of the Parquet lake.
        ray_address: A Ray cluster's address; without one, a local Ray.

    Raises `RunError` where jobs were set aside: the run is then incomplete.
    """
    run = prepare(experiment, lake, download=True)
    with Lease(run.store, run.id):
        manifest, outcomes = _generate_and_score(run, ray_address)
        manifest = _analyse(run, manifest, outcomes)
        report = report_run(run.store, run.id)
    _show(run, report.as_uri())
    if manifest.status != "committed" or manifest.failed_jobs:
        faults = "; ".join(f"{fault['job']}: {fault['error']}" for fault in manifest.failed_jobs[:3])
        raise RunError(f"run {run.id} is incomplete ({faults}); the same command tries again what is left")
    return run.id


def _generate_and_score(run: Run, ray_address: str | None) -> tuple[Manifest, list[Outcome]]:
    """Do what is left, and commit. Ray starts only where something is."""
    manifest = begin(run)
    outcomes: list[Outcome] = []
    if generation_left(run) or scoring_left(run):
        connect_ray(ray_address, run.needs.gpus)
        with WorkerPool(run.needs, run.experiment.workers.count) as pool:
            outcomes += _by_cell("generate", pool, generation_left(run))
            manifest = commit(run, manifest, outcomes)
            outcomes += _by_cell("score", pool, scoring_left(run))
    return commit(run, manifest, outcomes), outcomes


def _by_cell(kind: str, pool: WorkerPool, jobs: Sequence[Job]) -> list[Outcome]:
    """One Prefect task a cell, so that the UI shows cells."""
    ordered = sorted(jobs, key=lambda job: job.cell)
    cells = [(cell, list(group)) for cell, group in groupby(ordered, key=lambda job: job.cell)]
    futures = [do_cell.submit(kind, cell, pool, group) for cell, group in cells]
    return [outcome for future in futures for outcome in future.result()]


def _analyse(run: Run, manifest: Manifest, outcomes: list[Outcome]) -> Manifest:
    """Write the answers with their intervals into the lake."""
    with connect(run.store.root, run.id) as lake:
        answers = analyse(lake, run.id)
        manifest = replace(manifest, missing_metrics=missing_metrics(lake))
    part = write_part(run.store, "analysis", run.id, "analysis", new_attempt(), answers)
    return commit(run, manifest, outcomes, analysis=[part])


def _show(run: Run, report: str) -> None:
    """Artifacts for the Prefect UI."""
    create_link_artifact(report, link_text="report", description=f"Report of {run.id}")
    with connect(run.store.root, run.id) as lake:
        table = query(lake, "operating_curve").to_dicts()
    create_table_artifact(table, description=f"Cells of {run.id}")
