"""Steps that flows share, each from a manifest to the next one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from prefect import get_client, tags
from prefect.concurrency.sync import concurrency
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run

from skewbench.flows.artifacts import show
from skewbench.flows.cells import by_cell
from skewbench.sql import connect
from skewbench.storage.commit import commit_manifest
from skewbench.storage.lease import Lease
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.records import Manifest, Status
from skewbench.storage.state import RunState
from skewbench.storage.store import Store
from skewbench.storage.verify import reporting_broken_parts
from skewbench.tasks.analyse import analyse
from skewbench.tasks.experiment import Experiment, WorkerSpec
from skewbench.tasks.pool import Needs, Outcome, WorkerPool, ray_connected
from skewbench.tasks.report import report_run
from skewbench.tasks.run import Run, commit, generation_left, missing_metrics, scoring_left
from skewbench.tasks.shortfalls import is_generated, without_required
from skewbench.tasks.worker_log import WorkerLog

LEASE = 60.0
"""Seconds after which a killed flow's place in its model's queue is free again."""


@contextmanager
def named(of: Run | Manifest | Experiment) -> Iterator[None]:
    """Within the block, the flow run is named after its run, and it and its tasks have tags for filters in the UI.

    A flow of several runs is named after its experiment and `repeat`.
    """
    name, experiment, model = _names(of)
    marks = {f"experiment:{experiment}", f"model:{model}"}
    if flow_run.id:
        with get_client(sync_client=True) as client:
            marked = sorted({*flow_run.tags, *marks})
            client.update_flow_run(flow_run.id, name=f"{flow_run.flow_name} {name}", tags=marked)
    with tags(*marks):
        yield


def _names(of: Run | Manifest | Experiment) -> tuple[str, str, str]:
    if isinstance(of, Manifest):
        return of.run_id, of.name, model_of(of)
    if isinstance(of, Run):
        return of.id, of.experiment.name, of.experiment.model.id
    return f"{of.name} {of.repeat}", of.name, of.model.id


def model_of(run: Manifest) -> str:
    """The id of a run's model."""
    return str(run.experiment.get("model", {}).get("id", "unknown"))


@contextmanager
def workers(needs: Needs, spec: WorkerSpec, model: str, ray_address: str, lease: Lease) -> Iterator[WorkerPool]:
    """Warm workers that log to the flow run. Flows launched from the UI or a schedule are limited per model, by its
    concurrency limit on the server.
    """
    logger = get_run_logger()
    with (
        _turn(model),
        ray_connected(ray_address or None, needs.gpus),
        WorkerLog(logger) as log,
        WorkerPool(needs, spec.count, log.worker, spec.hang_limit) as pool,
    ):
        lease.on_taken_over(pool.stop)
        lease.note(lambda: pool.late)
        yield pool
    lease.check()


def limit_name(model: str) -> str:
    """Name of a model's concurrency limit: a name must not hold a slash."""
    return f"model:{model.strip('/').replace('/', '--')}"


@contextmanager
def _turn(model: str) -> Iterator[None]:
    if not deployment.id:
        yield
        return
    logger, limit, began = get_run_logger(), limit_name(model), time.monotonic()
    logger.info("waiting for the concurrency limit of %s", limit)
    with concurrency(limit, lease_duration=LEASE, raise_on_lease_renewal_failure=False):
        logger.info("started after waiting %.0f s", time.monotonic() - began)
        try:
            yield
        finally:
            logger.info("released the concurrency limit")


def generate_left(run: Run, pool: WorkerPool, state: RunState) -> list[Outcome]:
    """Generate and measure the shards that have no receipt or are retried, and commit."""
    jobs = generation_left(run, state)
    if again := sum(bool(job.retry) for job in jobs):
        get_run_logger().warning("generating %d shards again: too many of their samples had no usable image", again)
    outcomes = by_cell("generate", pool, run.store, run.id, jobs)
    state.fold(outcome.receipt for outcome in outcomes)
    commit(run, state, outcomes)
    return outcomes


def score_left(run: Run, pool: WorkerPool, state: RunState, before: Sequence[Outcome]) -> None:
    """Compute missing scores, and commit. `before`: earlier outcomes of this start, whose failures stay listed."""
    outcomes = by_cell("score", pool, run.store, run.id, scoring_left(run, state))
    state.fold(outcome.receipt for outcome in outcomes)
    commit(run, state, [*before, *outcomes])


def analyse_run(store: Store, state: RunState, lease: Lease) -> Manifest:
    """Write the answers with their intervals, replacing earlier ones. The manifest lists metrics without values, and is
    incomplete if a required one has none in a cell.
    """
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


def finish(store: Store, state: RunState, lease: Lease) -> Manifest:
    """Analyse, write the report, and show both in the UI."""
    manifest = analyse_run(store, state, lease)
    lease.confirm()
    show(store, manifest, report_run(store, manifest.run_id))
    return manifest
