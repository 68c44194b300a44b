"""The flow `score`: more metrics for a run that is in the lake. Does what has no score yet, and nothing twice."""

from collections.abc import Sequence
from dataclasses import replace

from prefect import flow

from flows.steps import analyse_run, by_cell, show
from tasks.errors import RunError
from tasks.experiment import WorkerSpec
from tasks.lake.lease import Lease
from tasks.lake.manifest import find_run
from tasks.lake.store import open_store
from tasks.pool import Needs, Outcome, WorkerPool, connect_ray
from tasks.report import report_run
from tasks.run import commit_receipts
from tasks.scoring import check_metrics, expand, left_of_run


@flow(name="score", flow_run_name="score {run}")
def score(
    run: str | None = None,
    metrics: Sequence[str] = ("all",),
    reference: str | None = None,
    lake: str = "lake",
    ray_address: str | None = None,
) -> str:
    """Score the committed pictures of a run, then analyse and report anew. Returns the run's id.

    Args:
        run: A run's id, or the beginning of it; the newest where left out.
        metrics: Scorers by name, or `all`.
        reference: What cells are compared with as sets: a folder of pictures, or a run's id.
        lake: Folder of the Parquet lake.
        ray_address: A Ray cluster's address; without one, a local Ray.

    Raises `InputError` for metrics that do not exist and a run that is still generated, `RunError` where jobs were
    set aside.
    """
    store = open_store(lake)
    run_id, chosen = find_run(store, run).run_id, expand(metrics)
    check_metrics(chosen)
    with Lease(store, run_id) as lease:
        manifest = find_run(store, run_id)  # as the last driver left it
        jobs = left_of_run(store, manifest, chosen, reference)
        workers = WorkerSpec(**manifest.experiment["workers"])
        outcomes: list[Outcome] = []
        if jobs:
            connect_ray(ray_address, workers.gpus)
            threads = manifest.experiment["generation"]["threads"]
            with WorkerPool(Needs(store.lake, None, None, threads, workers.gpus), workers.count) as pool:
                lease.on_lost = pool.stop
                outcomes = by_cell("score", pool, jobs)
        scored = tuple(dict.fromkeys((*manifest.experiment["metrics"], *chosen)))
        manifest = replace(manifest, experiment={**manifest.experiment, "metrics": scored})
        manifest = commit_receipts(store, manifest, outcomes, manifest.status)
        manifest, answers = analyse_run(store, manifest)
        manifest = commit_receipts(store, manifest, outcomes, manifest.status, [answers])
        report = report_run(store, manifest.run_id)
    show(store, manifest.run_id, report)
    if failed := [outcome for outcome in outcomes if outcome.error]:
        raise RunError(f"{len(failed)} jobs were set aside, the first: {failed[0].job.key}: {failed[0].error}")
    return manifest.run_id
