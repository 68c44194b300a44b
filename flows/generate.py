"""The flow `generate`: generates images and measures only. `score`, `analyse` and `report` can follow later."""

from prefect import flow

from skewbench.flows.parameters import DEMO, Choice, choose
from skewbench.flows.steps import named, workers
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.lease import Lease
from skewbench.tasks.drive import generate_left
from skewbench.tasks.run import caught_up, generation_left, prepare
from skewbench.tasks.shortfalls import raise_if_incomplete


@flow(name="generate", on_crashed=[cancel_if_interrupted])
def generate(experiment: Choice = DEMO, lake: str = "lake", ray_address: str = "") -> str:
    """Generate and measure, without scores. Returns the run's id. Start the flow again to resume.

    Args:
        experiment: The experiment: a bundled one by name, pasted YAML, or its fields.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.
        ray_address: HOST:PORT of a Ray cluster. Empty: start Ray on the machine that runs the flow.

    Raises `IncompleteRunError` if jobs failed, or if a cell has too few usable images. Start the flow again to retry
    those shards.
    """
    chosen = choose(experiment)
    run = prepare(chosen, lake, download=True)
    with named(run), Lease(run.store, run.id) as lease:
        state = caught_up(run, lease)
        if generation_left(run, state):
            with workers(run.needs, chosen.workers, chosen.model.id, ray_address, lease) as execute:
                generate_left(run, state, execute)
    raise_if_incomplete(state.manifest)
    return run.id
