"""The flow `report`: writes the report of a run again, or against another run."""

from prefect import flow

from skewbench.flows.artifacts import show
from skewbench.flows.parameters import Tracker
from skewbench.flows.steps import check_tracking, named, send_run
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.manifest import find_run
from skewbench.storage.store import open_store
from skewbench.tasks.report import answered, write_report


@flow(name="report", on_crashed=[cancel_if_interrupted])
def report(run: str = "", against: str = "", lake: str = "lake", track: Tracker = "") -> str:
    """Write the report of a run again, and show it in the UI. Returns its path.

    Args:
        run: Id of a run, or the beginning of an id. Empty: the newest run.
        against: Another run, such as last night's, to report the changes since it. Empty: none.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.
        track: Tracker to send the finished run to; its package must be installed where the flow runs. Empty: none.

    Raises `InputError` for an unknown run.
    """
    check_tracking(track)
    store = open_store(lake)
    found = find_run(store, run or None)
    with named(found), answered(store, found.run_id) as answers:
        path = write_report(store, answers, against or None)
        show(answers, path)
    send_run(store, found.run_id, track)
    return path
