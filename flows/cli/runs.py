"""`skewbench status` and `runs`: lists, shows and removes the runs of a lake."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from skewbench.flows.cli import completion
from skewbench.flows.cli.options import Lake, RunId
from skewbench.flows.cli.progress import scorings
from skewbench.flows.cli.tables import Format, Limit, note, plain, print_rows
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from skewbench.storage.records import Manifest
    from skewbench.storage.scan import Manifests
    from skewbench.storage.store import Store

runs = typer.Typer(no_args_is_help=True, help="List, show and remove runs.")


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.command("status")(status)
    app.add_typer(runs, name="runs")


def status(lake: Lake = "lake", format: Format = "table", limit: Limit = 0) -> None:
    """Show the runs of a lake: their progress, late jobs, and why runs are incomplete.

    Run a `stopped` run again to resume it.

    If a driver on another machine holds a run, the table names it, but cannot show whether it is alive.
    """
    from skewbench.storage.manifest import scan_runs
    from skewbench.storage.store import open_store

    store = open_store(lake)
    found = scan_runs(store)
    rows = [_progress(store, manifest) for manifest in found.whole]
    rows += [{"run": broken.run_id, "status": "broken", "notes": []} for broken in found.broken]
    _print_runs(rows, _PROGRESS, lake, format, limit)
    if format == "table":
        for row in rows[-limit:]:
            for line in row["notes"]:
                typer.echo(str(plain(f"{row['run']}: {line}")))
    tell_broken(found)


_PROGRESS = {"run": str, "status": str, "generated": int, "shards": int, "scored": int, "scorings": int, "updated": str,
             "notes": list[str]}  # fmt: skip
_SIZES = {"run": str, "status": str, "samples": int, "cells": int, "megabytes": float, "created": str}


def _progress(store: "Store", manifest: "Manifest") -> dict[str, Any]:
    """A row of `_PROGRESS`."""
    from skewbench.storage.attempts import count_jobs
    from skewbench.storage.lease import driver_notes
    from skewbench.storage.state import keys_of

    counts = count_jobs(keys_of(store, manifest))
    metrics = manifest.experiment.get("metrics", [])
    short = [f"cell {shortfall['cell']}: {shortfall['reason']}" for shortfall in manifest.shortfalls]
    return {
        "run": manifest.run_id,
        "status": _status(store, manifest),
        "generated": counts.generated,
        "shards": manifest.shards,
        "scored": counts.scored,
        "scorings": scorings(metrics, manifest.shards, len(manifest.cells), manifest.metrics),
        "updated": manifest.updated,
        "notes": [*driver_notes(store, manifest.run_id), *short],
    }


def _status(store: "Store", manifest: "Manifest") -> str:
    from skewbench.storage.lease import find_driver

    if manifest.status != "running":
        return manifest.status
    driver = find_driver(store, manifest.run_id)
    if driver is None:
        return "stopped"
    return "running" if driver.state == "alive" else f"held by {driver}"


@runs.command("list")
def list_all(lake: Lake = "lake", format: Format = "table", limit: Limit = 0) -> None:
    """List the runs of a lake, oldest first. For broken runs, print how to repair them.

    --limit keeps the newest runs.
    """
    from skewbench.storage.manifest import scan_runs
    from skewbench.storage.store import open_store

    found = scan_runs(open_store(lake))
    rows: list[dict[str, Any]] = [
        {
            "run": run.run_id,
            "status": run.status,
            "samples": run.samples,
            "cells": len(run.cells),
            "megabytes": round(sum(part.bytes for part in run.parts) / 1e6, 1),
            "created": run.created,
        }
        for run in (*found.whole, *found.removing)
    ]
    rows += [{"run": broken.run_id, "status": "broken"} for broken in found.broken]
    _print_runs(rows, _SIZES, lake, format, limit)
    tell_broken(found)


def _print_runs(rows: list[dict[str, Any]], schema: dict[str, Any], lake: str, format: str, limit: int) -> None:
    """Print the newest runs. Notes are printed below a table."""
    import polars as pl

    if not rows and format == "table":
        typer.echo(f"no runs in {lake!r}; `skewbench run demo` creates one")
        return
    if limit and len(rows) > limit:
        note(f"the newest {limit} of {len(rows)} runs")
    shown = [{name: row.get(name) for name in schema} for row in rows[-limit:]]
    table = pl.DataFrame(shown, schema=schema)
    print_rows(table.drop("notes", strict=False) if format == "table" else table, format)


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
    """Show a run as YAML: row counts, missing metrics, everything that affects its numbers, and its experiment."""
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
    """Return YAML in the style of experiments. Control characters are escaped, because a lake may be untrusted."""
    import yaml

    style: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "width": 120}
    text: str = yaml.safe_dump(content, allow_unicode=True, **style)
    return text if text.replace("\n", "").isprintable() else yaml.safe_dump(content, **style)


@runs.command("rm")
def remove(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of a run, or the beginning of an id.", autocompletion=completion.runs),
    ],
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
