"""The flow `score`: adds metrics to a run in the lake. It computes only missing scores."""

from collections.abc import Sequence

from prefect import flow
from pydantic import NonNegativeFloat

from skewbench.flows.parameters import Tracker
from skewbench.flows.steps import check_tracking, finish, model_of, named, send_run, workers
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, find_run
from skewbench.storage.state import read_state
from skewbench.storage.store import open_store
from skewbench.tasks.checks import expand
from skewbench.tasks.drive import commit_scores, needs_to_score
from skewbench.tasks.jobs import Outcome
from skewbench.tasks.media import medium_of
from skewbench.tasks.run import workers_of
from skewbench.tasks.scoring import left_of_run
from skewbench.tasks.shortfalls import raise_unless_scored


@flow(name="score", on_crashed=[cancel_if_interrupted])
def score(
    run: str = "",
    metrics: Sequence[str] = ("all",),
    reference: str = "",
    lake: str = "lake",
    ray_address: str = "",
    gpus: NonNegativeFloat | None = None,
    track: Tracker = "",
) -> str:
    """Score the committed images of a run, then analyse and report it again. Returns the run's id.

    Args:
        run: Id of a run, or the beginning of an id. Empty: the newest run.
        metrics: Names of scorers, or `all`.
        reference: Real images for metrics of whole cells: a folder of images, or the id of a run. Empty: none.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.
        ray_address: HOST:PORT of a Ray cluster. Empty: start Ray on the machine that runs the flow.
        gpus: GPUs per worker; may be a fraction. 0: run on the CPU. Unset: as in the run.
        track: Tracker to send the finished run to; its package must be installed where the flow runs. Empty: none.

    Raises `InputError` for unknown metrics or a run that is still being generated, `IncompleteRunError` if jobs failed,
    the run is incomplete, or no requested metric has a value.
    """
    check_tracking(track)
    store = open_store(lake)
    found = find_run(store, run or None)
    chosen = expand(metrics, medium_of(found))
    run_id = found.run_id
    with named(found), Lease(store, run_id) as lease:
        state = read_state(store, claim(store, lease))  # as the last driver left it
        jobs = left_of_run(store, state, chosen, reference or None)
        outcomes: list[Outcome] = []
        if jobs:
            needs, spec = needs_to_score(store, state.manifest, gpus), workers_of(state.manifest)
            with workers(needs, spec, model_of(found), ray_address, lease) as execute:
                outcomes = execute("score", jobs)
        commit_scores(store, state, chosen, outcomes)
        manifest = finish(store, state, lease)
    raise_unless_scored(manifest, chosen)
    send_run(store, run_id, track)
    return run_id
