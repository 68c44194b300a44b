"""The flow `tune`: chooses a setting for a model, and resumes if it is started again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from prefect import flow
from prefect.logging import get_run_logger

from skewbench.flows.observers import registered
from skewbench.flows.steps import finish, named, workers
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.lease import Lease
from skewbench.tasks.jobs import Execute
from skewbench.tasks.run import Run
from skewbench.tasks.tune.form import Tuning
from skewbench.tasks.tune.request import check_request
from skewbench.tasks.tune.tune import tune as search

DEFAULT = Tuning()
_observers: list[Callable[[str], None]] = []


def lines_observed(observe: Callable[[str], None]) -> AbstractContextManager[None]:
    """Within the block, pass on the lines of a search that runs in this process.

    Args:
        observe: Called with each line.
    """
    return registered(_observers, observe)


@flow(name="tune", on_crashed=[cancel_if_interrupted])
def tune(search_for: Tuning = DEFAULT, lake: str = "lake", ray_address: str = "") -> str:
    """Search for a setting, and measure it on prompts that the search did not use. Returns the id of that run.

    Start the flow again with the same form to resume. The log has the path of the search, the verdict, and the code
    lines that use the setting.

    Args:
        search_for: The objective, the budget, the model and the knobs.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.
        ray_address: HOST:PORT of a Ray cluster. Empty: start Ray on the machine that runs the flow.

    Raises `InputError` for a search that is not possible, and `RunError` if a round cannot be measured.
    """
    request, logger = check_request(search_for), get_run_logger()

    @contextmanager
    def working(run: Run, lease: Lease) -> Iterator[Execute]:
        form = request.form
        with named(run), workers(run.needs, form.workers, form.model.id, ray_address, lease) as execute:
            yield execute

    def report(line: str) -> None:
        logger.info(line)
        for observer in _observers:
            observer(line)

    return search(request, lake, working, finish, report).run_id
