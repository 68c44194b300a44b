"""The flow `report`: the report of a run anew, or against another run."""

from prefect import flow

from skewbench.flows.artifacts import show
from skewbench.flows.steps import named
from skewbench.storage.manifest import find_run
from skewbench.storage.store import open_store
from skewbench.tasks.report import report_run


@flow(name="report")
def report(run: str = "", against: str = "", lake: str = "lake") -> str:
    """Write the report of a run anew, and show it in the UI. Returns its path.

    Args:
        run: A run's id, or the beginning of it; empty: the newest.
        against: Another run, such as last night's: the report says what changed since; empty: none.
        lake: Folder of the Parquet lake, on the machine that runs the flow.

    Raises `InputError` for a run that is not there.
    """
    store = open_store(lake)
    found = find_run(store, run or None)
    with named(found):
        path = report_run(store, found.run_id, against=against or None)
        show(store, found, path)
    return path
