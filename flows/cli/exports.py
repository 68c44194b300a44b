"""`skewbench export`: runs in the forms that other programs read."""

from typing import Annotated

import typer
from rich.console import Console

from skewbench.flows.cli.options import Lake, RunId

exports = typer.Typer(no_args_is_help=True, help="Write runs in the forms that other programs read.")


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.add_typer(exports, name="export")


@exports.command("dataset")
def dataset(
    run: RunId,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder to write; it must not exist, or be empty.")],
    lake: Lake = "lake",
) -> None:
    """Write a run as a Hugging Face dataset folder: files, scores and settings in Parquet shards, and a card."""
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store
    from skewbench.tasks.exports.dataset import export_dataset

    store = open_store(lake)
    found = find_run(store, run)
    with Console(stderr=True).status(f"exporting {found.run_id}"):
        written = export_dataset(store, found, folder)
    typer.echo(f"{found.run_id}: dataset {written}")
