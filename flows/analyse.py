"""The flow `analyse`: computes the bootstrap intervals of a run's named queries again."""

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
    """Answer the named queries over a run with intervals, and replace its earlier answers. Returns the run's id.

    Args:
        run: Id of a run, or the beginning of it; empty: the newest.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.

    Raises `InputError` for an unknown run, `IncompleteRunError` if the run is incomplete.
    """
    store = open_store(lake)
    found = find_run(store, run or None)
    with named(found), Lease(store, found.run_id) as lease:
        manifest = analyse_run(store, read_state(store, claim(store, lease)), lease)
    raise_if_still_incomplete(manifest)
    return manifest.run_id
