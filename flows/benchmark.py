"""The flow `benchmark`: runs an experiment up to its report, and resumes if it is started again."""

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import deployment

from skewbench.flows.parameters import DEMO, Choice, Tracker, choose
from skewbench.flows.steps import check_tracking, finish, named, send_run, workers
from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.lease import Lease
from skewbench.tasks.drive import generate_left, score_left
from skewbench.tasks.prompt_lengths import prompt_notes
from skewbench.tasks.run import caught_up, generation_left, prepare, scoring_left
from skewbench.tasks.shortfalls import raise_if_incomplete


@flow(name="benchmark", on_crashed=[cancel_if_interrupted])
def benchmark(experiment: Choice = DEMO, lake: str = "lake", ray_address: str = "", track: Tracker = "") -> str:
    """Generate, measure, score, analyse and report. Returns the run's id.

    Start it again with the same experiment to resume; if the run is complete, it writes the report again.

    Args:
        experiment: The experiment: a bundled one by name, pasted YAML, or its fields.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.
        ray_address: HOST:PORT of a Ray cluster. Empty: start Ray on the machine that runs the flow.
        track: Tracker to send the finished run to; its package must be installed where the flow runs. Empty: none.

    Raises `IncompleteRunError` if jobs failed, or if a cell has too few usable images or lacks a required metric.
    Start the flow again to retry those shards.
    """
    check_tracking(track)
    chosen = choose(experiment)
    run = prepare(chosen, lake, download=True)
    with named(run), Lease(run.store, run.id) as lease:
        state = caught_up(run, lease)
        if generation_left(run, state) or scoring_left(run, state):
            with workers(run.needs, chosen.workers, chosen.model.id, ray_address, lease) as execute:
                score_left(run, state, execute, generate_left(run, state, execute))
        manifest = finish(run.store, state, lease)
        if deployment.id:  # in a terminal, the command prints these notes
            for line in prompt_notes(run.experiment, run.prompts, run.source):
                get_run_logger().warning(line)
    raise_if_incomplete(manifest)
    send_run(run.store, run.id, track)
    return run.id
