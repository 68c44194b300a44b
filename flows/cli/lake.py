"""`skewbench runs`, `verify` and `compact`: keeping a lake."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from skewbench.flows.cli.options import AnyRun, Lake, RunId
from skewbench.flows.cli.tables import console, folding, note, plain
from skewbench.vocabulary.errors import InputError, RunError

if TYPE_CHECKING:
    from skewbench.storage.records import Manifest
    from skewbench.storage.repair import Repaired
    from skewbench.storage.scan import Manifests
    from skewbench.storage.store import Store

runs = typer.Typer(no_args_is_help=True, help="List, show and remove runs.")


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.add_typer(runs, name="runs")
    app.command("verify")(verify)
    app.command("compact")(compact)


@runs.command("list")
def list_all(lake: Lake = "lake") -> None:
    """List the runs of a lake, oldest first, including broken ones with how to repair them."""
    from skewbench.storage.manifest import scan_runs
    from skewbench.storage.store import open_store

    found = scan_runs(open_store(lake))
    table = folding("run", "status", "samples", "cells", "MB", "created")
    for run in (*found.whole, *found.removing):
        size = f"{sum(part.bytes for part in run.parts) / 1e6:.1f}"
        table.add_row(*map(plain, (run.run_id, run.status, run.samples, len(run.cells), size, run.created)))
    for broken in found.broken:
        table.add_row(*map(plain, (broken.run_id, "broken", "", "", "", "")))
    console().print(table if table.row_count else f"no runs in {lake!r}; `skewbench run demo` makes one")
    tell_broken(found)


def tell_broken(found: "Manifests") -> None:
    """Print notes on broken runs and unfinished removals, with what to do.

    Args:
        found: The manifests of the lake.
    """
    for run in found.broken:
        note(str(run))
    for removal in found.removing:
        note(f"{removal.run_id} is being removed; `skewbench runs rm {removal.run_id}` completes the removal")


@runs.command("show")
def show(run: RunId, lake: Lake = "lake") -> None:
    """Show a run as YAML: row counts, missing metrics, what decides its numbers, and its experiment."""
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store

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
                "failed_jobs": {failed.job: failed.error for failed in found.failed_jobs},
                "shortfalls": found.shortfalls,
                "missing_metrics": {missing["metric"]: missing["reason"] for missing in found.missing_metrics},
                "identity": decided,
                "experiment": found.experiment,
            }
        ),
        nl=False,
    )


def _yaml(content: dict[str, Any]) -> str:
    """Return YAML as experiments are written. Control characters are escaped, since anybody may write a lake."""
    import yaml

    style: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "width": 120}
    text: str = yaml.safe_dump(content, allow_unicode=True, **style)
    return text if text.replace("\n", "").isprintable() else yaml.safe_dump(content, **style)


@runs.command("rm")
def remove(
    run: RunId,
    lake: Lake = "lake",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a run and all its files, even if its manifest is broken."""
    from skewbench.storage.baselines import scan_baselines
    from skewbench.storage.manifest import find_any
    from skewbench.storage.records import shown
    from skewbench.storage.remove import remove_run
    from skewbench.storage.store import open_store

    store = open_store(lake)
    run_id = find_any(store, run)
    baselines, broken = scan_baselines(store)
    if named := [baseline.name for baseline in baselines if baseline.run_id == run_id]:
        raise InputError(f"{run_id} is the baseline {named[0]!r}; run `skewbench baseline remove {named[0]}` first")
    for one in broken:
        note(f"{one}; it may have named this run")
    if not yes:
        typer.confirm(f"delete {shown(run_id)} with all its files from {store.lake}?", abort=True)
    typer.echo(f"deleted {shown(run_id)}: {remove_run(store, run_id, note)} files")


def verify(
    run: AnyRun = None,
    lake: Lake = "lake",
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Repair broken manifests and receipts; the next `run` generates broken shards again.",
        ),
    ] = False,
) -> None:
    """Check every file of a run against the hash and row count stored when it was written.

    Also checks receipts and manifest against each other.
    """
    from skewbench.storage.manifest import find_any
    from skewbench.storage.records import shown
    from skewbench.storage.repair import repair as repair_run
    from skewbench.storage.store import open_store
    from skewbench.storage.verify import all_parts, check_run

    store = open_store(lake)
    run_id = find_any(store, run)
    found = _rebuilt(store, run_id) if repair else _readable(store, run_id)
    total = len(all_parts(store, found))
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"verifying {run_id}", total=total)
        faults = check_run(store, found, lambda: progress.advance(bar))
    for fault in faults:
        typer.echo(f"{shown(fault.path)} {fault.problem}")
    if not faults:
        typer.echo(f"{run_id}: {total} files, all intact")
    elif repair:
        _tell_repaired(repair_run(store, run_id, faults, note))
    else:
        raise RunError(f"{len(faults)} files of {run_id} are broken; `skewbench verify {run_id} --repair` repairs them")


def _readable(store: "Store", run_id: str) -> "Manifest":
    """Return the run's manifest. Raises `RunError` if it is broken, and `InputError` if the run is being removed."""
    from skewbench.storage.manifest import read_manifest

    try:
        found = read_manifest(store, run_id)
    except InputError as error:
        raise RunError(str(error)) from None
    if found is None or found.status == "removing":
        raise InputError(f"run {run_id} is being removed; `skewbench runs rm {run_id}` completes the removal")
    return found


def _rebuilt(store: "Store", run_id: str) -> "Manifest":
    from skewbench.storage.repair import rebuild

    try:
        return _readable(store, run_id)
    except RunError as error:
        typer.echo(str(error).partition("; `")[0])
        found = rebuild(store, run_id, note)
        typer.echo(
            f"rebuilt the manifest from plan and receipts: {run_id} is {found.status}; "
            "run the experiment again for its analysis and report"
        )
        return found


def _tell_repaired(done: "Repaired") -> None:
    if done.restored:
        typer.echo(f"rewrote {len(done.restored)} receipts from the manifest")
    if done.deleted:
        typer.echo(f"deleted {len(done.deleted)} broken receipts; run the experiment again to redo their jobs")
    if done.parts:
        typer.echo(
            f"dropped {len(done.parts)} broken files; run the experiment again to redo them, and `skewbench score` for "
            "metrics that the experiment does not list"
        )


def compact(run: AnyRun = None, lake: Lake = "lake") -> None:
    """Merge a committed run's many small files into a few large, sorted ones, which are faster to query."""
    from skewbench.storage.compact import compact_run
    from skewbench.storage.lease import Lease
    from skewbench.storage.manifest import claim, find_run
    from skewbench.storage.store import open_store

    store = open_store(lake)
    found = find_run(store, run)
    with Console(stderr=True).status(f"compacting {found.run_id}"), Lease(store, found.run_id, note) as lease:
        compacted = compact_run(store, claim(store, lease))
    typer.echo(f"{found.run_id}: {len(found.parts)} files, now {len(compacted.parts)}")
