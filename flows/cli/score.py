"""`skewbench score`: metrics for a run that is in the lake."""

import time
from typing import Annotated

import typer
from rich.console import Console

from skewbench.flows.cli.flow_state import raise_unless_completed
from skewbench.flows.cli.options import AnyRun, Lake, Local, RayAddress, Track, WeightsFolder, note_local
from skewbench.flows.cli.outcome import tell_missing, tell_report, tell_tracked
from skewbench.flows.cli.progress import Totals, progress_shown
from skewbench.flows.cli.session import prefect_and_ray, stoppable
from skewbench.tasks.ray_address import check_temporary_folder


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The application `skewbench`.
    """
    app.command("score")(score)


def score(
    run: AnyRun = None,
    metrics: Annotated[
        str, typer.Option("--metrics", help="Scorers, separated by commas, or `all`; see `skewbench weights`.")
    ] = "all",
    reference: Annotated[
        str | None,
        typer.Option(
            help="Real images for FID and similar metrics: a folder, or another run, whose baseline images are used."
        ),
    ] = None,
    lake: Lake = "lake",
    ray_address: RayAddress = "",
    local: Local = False,
    gpus: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="GPUs per worker; may be a fraction. 0: run on the CPU. Default: as in RUN.",
        ),
    ] = None,
    weights: WeightsFolder = None,
    track: Track = None,
) -> None:
    """Score a run's images. Existing scores are kept; metrics with missing weights are NULL, with the reason.

    If none of METRICS has a value, the exit code is 1.

    Run the same command again to resume after a crash or a stop, or to add scores after you installed missing weights.
    """
    from skewbench.storage.manifest import find_run
    from skewbench.storage.state import read_state
    from skewbench.storage.store import open_store

    console = Console(stderr=True)
    if local:
        note_local(ray_address)
    elif not ray_address:
        check_temporary_folder()
    store = open_store(lake)
    with console.status("looking for missing scores"):
        from skewbench.tasks.checks import check_metrics, expand

        named = [name.strip() for name in metrics.split(",") if name.strip()]
        check_metrics(name for name in named if name != "all")  # before the lake is read
        manifest = find_run(store, run)
        from skewbench.tasks.media import medium_of
        from skewbench.tasks.scoring import left_of_run

        chosen = expand(named, medium_of(manifest))
        from skewbench.tasks.shortfalls import raise_unless_scored

        known = read_state(store, manifest)
        left = len(left_of_run(store, known, chosen, reference))
    if left or known.uncommitted():
        began = time.monotonic()
        bars = progress_shown(console, (), Totals(left))
        if local:
            from skewbench.tasks.local import score_locally

            with stoppable(), bars as observe:
                scored = score_locally(store, manifest.run_id, chosen, reference, gpus, observe)
            raise_unless_scored(scored, chosen)
        else:
            with prefect_and_ray(console, ray_address):
                from skewbench.flows.cells import observed
                from skewbench.flows.score import score as flow

                with bars as observe, observed(observe):
                    state = flow(manifest.run_id, chosen, reference or "", lake, ray_address, gpus, return_state=True)
            raise_unless_completed(state)
        typer.echo(f"{manifest.run_id} is scored, after {time.monotonic() - began:.0f} s")
    else:
        raise_unless_scored(manifest, chosen)
        typer.echo(f"{manifest.run_id} already has these scores; nothing to do")
    tell_missing(store, manifest.run_id)
    tell_report(store, manifest.run_id)
    tell_tracked(store, manifest.run_id, track)
