"""The flow `analyse`: recomputes the bootstrap intervals of a run's named queries."""

from prefect import flow

from skewbench.flows.steps import named
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, find_run
from skewbench.storage.state import read_state
from skewbench.storage.store import open_store
from skewbench.tasks.drive import analyse_run
from skewbench.tasks.shortfalls import raise_if_still_incomplete


@flow(name="analyse", on_crashed=[cancel_if_interrupted])
def analyse(run: str = "", lake: str = "lake") -> str:
    """Compute the answers of a run's named queries with intervals, and replace the earlier ones. Returns the run's id.

    Args:
        run: Id of a run, or the beginning of an id. Empty: the newest run.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.

    Raises `InputError` for an unknown run, `IncompleteRunError` if the run is incomplete.
    """
    store = open_store(lake)
    found = find_run(store, run or None)
    with named(found), Lease(store, found.run_id) as lease:
        manifest = analyse_run(store, read_state(store, claim(store, lease)), lease)
    raise_if_still_incomplete(manifest)
    return manifest.run_id
