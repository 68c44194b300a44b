"""`skewbench track`: sends a finished run to a tracker of experiments."""

from typing import Annotated

import typer
from rich.console import Console

from skewbench.flows.cli.options import AnyRun, Lake, check_tracker_name


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The application `skewbench`.
    """
    app.command("track")(track)


def track(
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="TRACKER", callback=check_tracker_name, help="The tracker: mlflow, wandb or trackio."
        ),
    ],
    run: AnyRun = None,
    lake: Lake = "lake",
) -> None:
    """Send a finished run to a tracker: settings, means by cell, counts of failures, figures and the report.

    The tracker's own environment variables decide where it stores the run. Send a run again to update it.
    """
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store
    from skewbench.tasks.tracking import track_run

    store = open_store(lake)
    found = find_run(store, run)
    with Console(stderr=True).status(f"sending {found.run_id} to {to}"):
        where = track_run(store, found.run_id, to)
    typer.echo(f"{found.run_id} is in {to}: {where}")
