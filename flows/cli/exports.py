"""`skewbench export`: writes runs in the formats of other programs."""

from typing import Annotated

import typer
from rich.console import Console

from skewbench.flows.cli.options import Lake, RunId

exports = typer.Typer(no_args_is_help=True, help="Write runs in the formats of other programs.")


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


@exports.command("delta")
def delta(
    lake: Annotated[str, typer.Argument(metavar="LAKE", envvar="SKEWBENCH_LAKE", help="The lake.")] = "lake",
) -> None:
    """Write a Delta log beside the parts of all committed runs; no part is rewritten.

    The log is that of this moment: run the command again after runs were committed, compacted or removed.
    """
    from skewbench.flows.cli.runs import tell_broken
    from skewbench.storage.location import locate
    from skewbench.storage.manifest import scan_runs
    from skewbench.storage.store import open_store
    from skewbench.tasks.exports.delta import check_delta, export_delta

    locate(lake)  # no new folder
    store = open_store(lake)
    check_delta(store)
    found = scan_runs(store)
    tell_broken(found)
    for table, (parts, changed) in export_delta(
        store, [run for run in found.whole if run.status == "committed"]
    ).items():
        typer.echo(f"{table}: {parts} parts, {changed} changes")
