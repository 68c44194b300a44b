"""The flow `compact`: merges many small files of a run into a few large ones."""

from prefect import flow
from prefect.logging import get_run_logger

from skewbench.flows.steps import named
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.compact import compact_run
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, find_run
from skewbench.storage.store import open_store


@flow(name="compact", on_crashed=[cancel_if_interrupted])
def compact(run: str = "", lake: str = "lake") -> str:
    """Merge the many small files of a committed run into a few large, sorted files, which are faster to query.

    Args:
        run: Id of a run, or the beginning of an id. Empty: the newest run.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.

    Raises `InputError` for a run that is unknown or not committed.
    """
    store = open_store(lake)
    found = find_run(store, run or None)
    with named(found), Lease(store, found.run_id) as lease:
        compacted = compact_run(store, claim(store, lease))
    get_run_logger().info("%s: merged %d files into %d", found.run_id, len(found.parts), len(compacted.parts))
    return found.run_id
