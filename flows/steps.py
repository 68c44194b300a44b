"""Steps that flows share: names and tags of flow runs, workers on Ray, and the end of a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from prefect import get_client, tags
from prefect.concurrency.sync import concurrency
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run

from skewbench.flows.cells import by_cell
from skewbench.storage.lease import Lease
from skewbench.storage.records import Manifest
from skewbench.storage.state import RunState
from skewbench.storage.store import Store
from skewbench.tasks.drive import analyse_run
from skewbench.tasks.experiment import Experiment, WorkerSpec
from skewbench.tasks.jobs import Execute, Needs
from skewbench.tasks.pool import WorkerPool, ray_connected
from skewbench.tasks.run import Run
from skewbench.tasks.trackers.contract import NotSent
from skewbench.tasks.trackers.registry import check_tracker
from skewbench.tasks.worker_log import WorkerLog

LEASE = 60.0
"""Seconds after which the concurrency slot of a killed flow is free again."""
NIGHTS = "nightly"
"""The concurrency limit of nights: two at the same time would disturb each other's speed."""


@contextmanager
def named(of: Run | Manifest | Experiment) -> Iterator[None]:
    """Within the block, name the flow run after its run, and tag it and its tasks for filters in the UI.

    A flow of several runs is named after its experiment and `repeat`.

    Args:
        of: The run, or the experiment of several runs.
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
    """Return the id of a run's model.

    Args:
        run: The run's manifest.

    Returns:
        The id, or `unknown` if the manifest has none.
    """
    return str(run.experiment.get("model", {}).get("id", "unknown"))


@contextmanager
def workers(needs: Needs, spec: WorkerSpec, model: str, ray_address: str, lease: Lease) -> Iterator[Execute]:
    """Within the block, provide a pool of warm workers that log to the flow run, with one Prefect task per cell.

    Flows launched from the UI or a schedule are limited per model, by its concurrency limit on the server.

    Args:
        needs: What one worker needs.
        spec: Number of workers and the limit for hung ones.
        model: Id of the model, whose limit applies.
        ray_address: HOST:PORT of a Ray cluster; empty: start Ray here.
        lease: The lease of the run; the pool stops if another driver takes the run over.

    Yields:
        A function that executes jobs of a kind (`skewbench.tasks.jobs.Execute`).
    """
    logger = get_run_logger()
    with (
        turn(limit_name(model)),
        ray_connected(ray_address or None, needs.gpus),
        WorkerLog(logger) as log,
        WorkerPool(needs, spec.count, log.worker, spec.hang_limit) as pool,
    ):
        lease.on_taken_over(pool.stop)
        lease.note(lambda: pool.late)
        yield partial(by_cell, pool, lease.store, lease.run_id)
    lease.check()


def limit_name(model: str) -> str:
    """Return the name of a model's concurrency limit, which must not contain a slash.

    Args:
        model: Id of the model.
    """
    return f"model:{model.strip('/').replace('/', '--')}"


@contextmanager
def turn(limit: str) -> Iterator[None]:
    """Within the block, hold a slot of a concurrency limit, in a flow that the UI or a schedule launched.

    Flows in a terminal ignore limits, and so do flows on a server that has no such limit.

    Args:
        limit: Name of the limit.
    """
    if not deployment.id:
        yield
        return
    logger, began = get_run_logger(), time.monotonic()
    logger.info("waiting for the concurrency limit of %s", limit)
    with concurrency(limit, lease_duration=LEASE, raise_on_lease_renewal_failure=False):
        logger.info("started after waiting %.0f s for the concurrency limit of %s", time.monotonic() - began, limit)
        try:
            yield
        finally:
            logger.info("released the concurrency limit of %s", limit)


def finish(store: Store, state: RunState, lease: Lease) -> Manifest:
    """Analyse the run, write its report, and show both in the UI.

    Args:
        store: The lake.
        state: State of the run.
        lease: The lease of the run.

    Returns:
        The final manifest.

    Raises:
        RunError: Another driver has taken the run over.
    """
    from skewbench.flows.artifacts import show  # imported here: Altair would delay the first image
    from skewbench.tasks.report import answered, write_report

    manifest = analyse_run(store, state, lease)
    lease.confirm()
    with answered(store, manifest.run_id) as answers:
        show(answers, write_report(store, answers))
    return manifest


def check_tracking(tracker: str) -> None:
    """Check a flow's parameter `track` before the flow starts its work.

    Args:
        tracker: Name of a tracker; empty: none.

    Raises:
        InputError: No such tracker, or its package is missing.
    """
    if tracker:
        check_tracker(tracker)


def send_run(store: Store, run_id: str, tracker: str) -> None:
    """Send a finished run to a tracker. If the tracker does not take it, the log says how to send it again.

    Args:
        store: The lake.
        run_id: The run.
        tracker: Name of the tracker; empty: do nothing.
    """
    if not tracker:
        return
    from skewbench.tasks.tracking import track_run  # imported here: it loads Altair

    try:
        get_run_logger().info("%s: %s", tracker, track_run(store, run_id, tracker))
    except NotSent as error:
        get_run_logger().warning(str(error))
