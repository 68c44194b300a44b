"""Steps that flows share: drive jobs through the pool, analyse, and show what came out."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from uuid import UUID

from prefect import task
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
from tasks.lake.manifest import Manifest
from tasks.lake.parts import Part, new_attempt, write_part
from tasks.lake.store import Store
from tasks.pool import Outcome, WorkerPool
from tasks.run import missing_metrics
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


def by_cell(kind: str, pool: WorkerPool, jobs: Sequence[Job]) -> list[Outcome]:
    """One Prefect task a cell, so that the UI shows cells."""
    ordered = sorted(jobs, key=lambda job: job.cell)
    cells = [(cell, list(group)) for cell, group in groupby(ordered, key=lambda job: job.cell)]
    futures = [do_cell.submit(kind, cell, pool, group) for cell, group in cells]
    return [outcome for future in futures for outcome in future.result()]


def analyse_run(store: Store, manifest: Manifest) -> tuple[Manifest, Part]:
    """Write the answers with their intervals. Returns their part, and a manifest that names metrics without values."""
    with connect(store.lake, manifest.run_id) as lake:
        answers = analyse(lake, manifest.run_id)
        manifest = replace(manifest, missing_metrics=missing_metrics(lake))
    return manifest, write_part(store, "analysis", manifest.run_id, "analysis", new_attempt(), answers)


def show(store: Store, run_id: str, report: str) -> None:
    """Artifacts for the Prefect UI."""
    create_link_artifact(
        report if "://" in report else Path(report).as_uri(), link_text="report", description=f"Report of {run_id}"
    )
    with connect(store.lake, run_id) as lake:
        table = query(lake, "operating_curve").to_dicts()
    create_table_artifact(table, description=f"Cells of {run_id}")


def raise_if_incomplete(manifest: Manifest) -> None:
    """Raises `RunError` where shards are without a receipt or jobs were set aside."""
    if manifest.status != "committed" or manifest.failed_jobs:
        faults = "; ".join(f"{fault['job']}: {fault['error']}" for fault in manifest.failed_jobs[:3])
        raise RunError(f"run {manifest.run_id} is incomplete ({faults}); the same command tries again what is left")
