"""`skewbench runs`, `verify` and `compact`: keeping a lake."""

from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import Progress

from skewbench.flows.cli.options import AnyRun, Lake, RunId
from skewbench.flows.cli.tables import console, folding
from skewbench.storage.baselines import list_baselines
from skewbench.storage.compact import compact_run
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run, list_runs
from skewbench.storage.remove import remove_run
from skewbench.storage.store import open_store
from skewbench.storage.verify import check_parts
from skewbench.storage.verify import repair as repair_run
from skewbench.vocabulary.errors import InputError, RunError

runs = typer.Typer(no_args_is_help=True, help="List, show and remove runs.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(runs, name="runs")
    app.command("verify")(verify)
    app.command("compact")(compact)


@runs.command("list")
def list_all(lake: Lake = "lake") -> None:
    """List the runs of a lake, oldest first."""
    table = folding("run", "status", "samples", "cells", "MB", "created")
    for run in list_runs(open_store(lake)):
        size = sum(part.bytes for part in run.parts) / 1e6
        table.add_row(run.run_id, run.status, str(run.samples), str(len(run.cells)), f"{size:.1f}", run.created)
    console().print(table if table.row_count else f"no runs in {lake!r}; `skewbench run demo` makes one")


@runs.command("show")
def show(run: RunId, lake: Lake = "lake") -> None:
    """Show a run as YAML: its rows, the metrics that it lacks, what decides its numbers, and its experiment."""
    found = find_run(open_store(lake), run)
    tables: dict[str, int] = {}
    for part in found.parts:
        tables[part.table] = tables.get(part.table, 0) + part.rows
    about = {"run": found.run_id, "status": found.status, "created": found.created, "updated": found.updated}
    decided = {name: value for name, value in found.identity.items() if found.experiment.get(name) != value}
    typer.echo(
        _yaml(
            {
                **about,
                "rows": tables,
                "failed_jobs": found.failed_jobs,
                "shortfalls": found.shortfalls,
                "missing_metrics": {missing["metric"]: missing["reason"] for missing in found.missing_metrics},
                "identity": decided,
                "experiment": found.experiment,
            }
        ),
        nl=False,
    )


def _yaml(content: dict[str, Any]) -> str:
    """YAML as experiments are written. Lakes are anybody's: characters that would steer a terminal are spelled out."""
    style: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "width": 120}
    text: str = yaml.safe_dump(content, allow_unicode=True, **style)
    return text if text.replace("\n", "").isprintable() else yaml.safe_dump(content, **style)


@runs.command("rm")
def remove(
    run: RunId,
    lake: Lake = "lake",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a run and all its files."""
    store = open_store(lake)
    found = find_run(store, run)
    if named := [baseline.name for baseline in list_baselines(store) if baseline.run_id == found.run_id]:
        raise InputError(f"{found.run_id} is the baseline {named[0]!r}; `skewbench baseline remove {named[0]}` first")
    if not yes:
        typer.confirm(f"delete {found.run_id} with {found.samples} samples from {store.lake}?", abort=True)
    typer.echo(f"deleted {found.run_id}: {remove_run(store, found.run_id)} files")


def verify(
    run: AnyRun = None,
    lake: Lake = "lake",
    repair: Annotated[
        bool, typer.Option("--repair", help="Send broken shards back: the next `run` makes them again.")
    ] = False,
) -> None:
    """Check every file of a run against the hash that was stored when it was written."""
    store = open_store(lake)
    found = find_run(store, run)
    if found.status == "running":
        raise InputError(f"run {found.run_id} is running or was stopped: nothing of it is committed yet")
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"verifying {found.run_id}", total=len(found.parts))
        faults = check_parts(store, found, lambda: progress.advance(bar))
    for fault in faults:
        typer.echo(f"{fault.part.path} {fault.what}")
    if not faults:
        typer.echo(f"{found.run_id}: {len(found.parts)} files, all as they were written")
    elif repair:
        sent = repair_run(store, found.run_id, faults)
        typer.echo(
            f"{len(sent)} sent back; run the experiment again to make them, and `skewbench score` for metrics that it "
            "does not name"
        )
    else:
        raise RunError(
            f"{len(faults)} of {len(found.parts)} files of {found.run_id} are broken; --repair sends them back"
        )


def compact(run: AnyRun = None, lake: Lake = "lake") -> None:
    """Merge a committed run's many small files into a few large, sorted ones: queries then run faster."""
    store = open_store(lake)
    found = find_run(store, run)
    with Console(stderr=True).status(f"compacting {found.run_id}"), Lease(store, found.run_id):
        compacted = compact_run(store, find_run(store, found.run_id))
    typer.echo(f"{found.run_id}: {len(found.parts)} files, now {len(compacted.parts)}")
