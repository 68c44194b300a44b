"""The flow `nightly`: runs a pinned experiment on a schedule, and fails if it is worse than a baseline."""

from contextlib import ExitStack
from datetime import UTC, datetime

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, State

from skewbench.flows.benchmark import benchmark
from skewbench.flows.parameters import Bundled, Choice, choose
from skewbench.flows.steps import NIGHTS, named, turn
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.baselines import find_baseline
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, find_run, read_manifest
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.state import read_state
from skewbench.storage.store import Store, open_store
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.regressions import Comparison, compare, summary
from skewbench.tasks.regressions.nights import as_night, remove_old
from skewbench.tasks.regressions.page import markdown
from skewbench.tasks.run import commit_receipts
from skewbench.vocabulary.errors import IncompleteRunError, InputError, RunError

NIGHTLY = Bundled(name="nightly")


@flow(name="nightly", on_crashed=[cancel_if_interrupted])
def nightly(
    experiment: Choice = NIGHTLY, lake: str = "lake", ray_address: str = "", night: datetime | None = None
) -> State:
    """Run the regression benchmark, compare the run with its baseline, and remove old nightly runs.

    If another nightly run of the experiment is active, the flow does nothing. If this night's run is complete, it is
    compared again.

    Args:
        experiment: The experiment. Its field `nightly` sets the baseline and the margins.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.
        ray_address: HOST:PORT of a Ray cluster. Empty: start Ray on the machine that runs the flow.
        night: Scheduled time of the run. Default: the scheduled time of the flow run.

    Raises `RunError` if the run is incomplete, a required row is worse, or nothing could be compared.
    """
    store = open_store(lake)
    scheduled = night or flow_run.scheduled_start_time or datetime.now(UTC)
    chosen = choose(experiment)
    tonight = as_night(chosen, scheduled)
    with named(tonight), turn(NIGHTS), ExitStack() as stack:
        try:
            stack.enter_context(Lease(store, f"nightly-{chosen.name}"))
        except RunError as busy:
            return _ended(f"nothing done: another night is running: {busy}")
        try:
            run_id = benchmark(tonight, lake, ray_address)
        except IncompleteRunError as incomplete:
            raise RunError(f"{incomplete}\n{_judged(store, incomplete.run_id, tonight)}") from None
        result = _judge(store, run_id, tonight)
        removed = remove_old(store, chosen.name, chosen.nightly.keep, run_id)
    return _ended(result + (f"; removed {', '.join(removed)}" if removed else ""))


def _judged(store: Store, run_id: str, experiment: Experiment) -> str:
    """Compare an incomplete night, which fails in any case, and return the result in one line."""
    try:
        return _judge(store, run_id, experiment)
    except (RunError, InputError) as error:
        return str(error)


def _judge(store: Store, run_id: str, experiment: Experiment) -> str:
    """Compare with the baseline, store the result and show it.

    Raises `RunError` if a required row is worse, or if nothing could be compared.
    """
    baseline = find_baseline(store, experiment.nightly.baseline)
    hint = f"`skewbench baseline set {experiment.nightly.baseline} {run_id}`"
    if baseline is None:
        return f"{run_id} is complete, but no baseline {experiment.nightly.baseline!r} exists; set it: {hint}"
    if baseline.run_id == run_id:
        return f"{run_id} is the baseline {baseline.name!r}; nothing to compare"
    against = read_manifest(store, baseline.run_id)
    if against is None:
        raise RunError(f"baseline {baseline.name!r} names {baseline.run_id}, which no longer exists; set it: {hint}")
    comparison = compare(store, find_run(store, run_id), against, experiment.nightly, baseline.name)
    keep(store, comparison)
    page, key = markdown(comparison, store.lake), f"{experiment.name}-regressions"
    create_markdown_artifact(page, key=key, description=f"Night {run_id}")
    if comparison.worse.height:
        raise RunError(summary(comparison))
    try:
        comparison.check()
    except RunError as error:
        raise RunError(f"{error}; to make this run the baseline: {hint}") from None
    return summary(comparison)


def keep(store: Store, comparison: Comparison) -> None:
    """Write a comparison into the lake, in place of an earlier one of the same run.

    Args:
        store: The lake.
        comparison: The comparison; it belongs to the later run.

    Raises:
        RunError: Another process drives the run.
    """
    run_id = comparison.run.run_id
    with Lease(store, run_id) as lease:
        state = read_state(store, claim(store, lease))
        part = write_part(store, "regressions", run_id, "regressions", new_attempt(), comparison.to_arrow())
        commit_receipts(store, state, [], state.manifest.status, [part])


def _ended(message: str) -> State:
    get_run_logger().info(message)
    state: State = Completed(message=message, data=message)
    return state
