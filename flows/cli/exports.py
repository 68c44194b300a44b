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
    keep: Annotated[
        bool | None,
        typer.Option(
            "--keep/--no-keep",
            help="Keep the log up to date from now on: runs, scores, compactions and removals update it. "
            "--no-keep: stop this. Default: the lake's present setting.",
        ),
    ] = None,
) -> None:
    """Write a Delta log beside the parts of all committed runs; no part is rewritten.

    Without --keep the log is that of this moment: run the command again after the lake has changed.
    """
    from skewbench.flows.cli.runs import tell_broken
    from skewbench.storage.delta import check_delta, update_logs
    from skewbench.storage.kept_delta import is_kept, keep_logs
    from skewbench.storage.location import locate
    from skewbench.storage.store import open_store

    locate(lake)  # no new folder
    store = open_store(lake)
    if keep is False:  # also without the package
        keep_logs(store, False)
        typer.echo(f"the Delta log of {store.lake} is no longer kept up to date; its files stay")
        return
    check_delta(store)
    if keep:
        keep_logs(store, True)  # first, so that a run that commits now updates the log itself
    found, states = update_logs(store)
    tell_broken(found)
    for table, state in states.items():
        typer.echo(f"{table}: {state.parts} parts, {state.changes} changes")
    if is_kept(store):
        typer.echo("kept up to date: runs, scores, compactions and removals update the log; --no-keep stops this")
    else:
        typer.echo("not kept up to date: run the command again after the lake has changed, or add --keep")
