"""The flow `benchmark`: from an experiment to a report. Started again, it goes on where it was."""

from prefect import flow

from flows.steps import analyse_run, by_cell, raise_if_incomplete, show
from tasks.experiment import Experiment
from tasks.lake.lease import Lease
from tasks.lake.manifest import Manifest
from tasks.pool import Outcome, WorkerPool, connect_ray
from tasks.report import report_run
from tasks.run import Run, begin, commit, generation_left, prepare, scoring_left


@flow(name="benchmark", flow_run_name="benchmark {experiment.name}")
def benchmark(experiment: Experiment, lake: str = "lake", ray_address: str | None = None) -> str:
    """Generate, measure, score, analyse and report. Returns the run's id.

    Args:
        experiment: What to run.
        lake: Folder of the Parquet lake.
        ray_address: A Ray cluster's address; without one, a local Ray.

    Raises `RunError` where jobs were set aside: the run is then incomplete.
    """
    run = prepare(experiment, lake, download=True)
    with Lease(run.store, run.id) as lease:
        manifest, outcomes = _generate_and_score(run, lease, ray_address)
        manifest, answers = analyse_run(run.store, manifest)
        manifest = commit(run, manifest, outcomes, derived=[answers])
        report = report_run(run.store, run.id)
    show(run.store, run.id, report)
    raise_if_incomplete(manifest)
    return run.id


def _generate_and_score(run: Run, lease: Lease, ray_address: str | None) -> tuple[Manifest, list[Outcome]]:
    """Do what is left, and commit. Ray starts only where something is."""
    manifest = begin(run)
    outcomes: list[Outcome] = []
    to_generate = generation_left(run)
    if to_generate or scoring_left(run):
        connect_ray(ray_address, run.needs.gpus)
        with WorkerPool(run.needs, run.experiment.workers.count) as pool:
            lease.on_lost = pool.stop
            outcomes += by_cell("generate", pool, to_generate)
            manifest = commit(run, manifest, outcomes)
            outcomes += by_cell("score", pool, scoring_left(run))
    return commit(run, manifest, outcomes), outcomes
