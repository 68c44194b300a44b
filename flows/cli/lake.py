"""`skewbench verify` and `compact`: maintain the files of a run."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from skewbench.flows.cli.options import AnyRun, Lake
from skewbench.flows.cli.tables import Document, note, print_json
from skewbench.vocabulary.errors import InputError, RunError

if TYPE_CHECKING:
    from skewbench.storage.records import Manifest
    from skewbench.storage.repair import Repaired
    from skewbench.storage.store import Store


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.command("verify")(verify)
    app.command("compact")(compact)


def verify(
    run: AnyRun = None,
    lake: Lake = "lake",
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Repair broken manifests and receipts. The next `run` generates broken shards again.",
        ),
    ] = False,
    format: Document = "text",
) -> None:
    """Check every file of a run against the hash and row count that were stored when it was written.

    Also compare receipts with the manifest.
    """
    from skewbench.storage.keys import RATINGS
    from skewbench.storage.manifest import find_any
    from skewbench.storage.records import shown
    from skewbench.storage.repair import repair as repair_run
    from skewbench.storage.state import read_state
    from skewbench.storage.store import open_store
    from skewbench.storage.verify import all_parts, check_run

    store = open_store(lake)
    run_id = find_any(store, run)
    _note_newest(run, run_id)
    found = _rebuilt(store, run_id) if repair else _readable(store, run_id)
    total = len(all_parts(store, found))
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task(f"verifying {run_id}", total=total)
        faults = check_run(store, found, lambda: progress.advance(bar))
    if format == "json":
        found_faults = [{"path": fault.path, "problem": fault.problem} for fault in faults]
        print_json({"run": run_id, "files": total, "faults": found_faults})
    else:
        for fault in faults:
            typer.echo(f"{shown(fault.path)} {fault.problem}")
    waiting = read_state(store, found).uncommitted()
    votes = sum(key.kind == RATINGS for key in waiting)
    if jobs := len(waiting) - votes:
        note(f"{jobs} jobs of {run_id} are done but not committed yet; if its driver has ended, run it again")
    if votes:
        note(f"{votes} votes on {run_id} are saved but not committed yet; `skewbench rate {run_id}` commits them")
    if not faults:
        if format == "text":
            typer.echo(f"{run_id}: {total} files, all intact")
    elif repair:
        _tell_repaired(repair_run(store, run_id, faults, note))
    else:
        raise RunError(f"{len(faults)} files of {run_id} are broken; `skewbench verify {run_id} --repair` repairs them")


def _note_newest(given: str | None, run_id: str) -> None:
    if given is None:
        note(f"no RUN given; using the newest, {run_id}")


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
    if votes := sum(part.rows for part in done.parts if part.table == "ratings"):
        typer.echo(f"{votes} of their rows were votes of people, which only `skewbench rate` can collect again")


def compact(run: AnyRun = None, lake: Lake = "lake") -> None:
    """Merge the many small files of a committed run into a few large, sorted files, which are faster to query."""
    from skewbench.storage.compact import compact_run
    from skewbench.storage.lease import Lease
    from skewbench.storage.manifest import claim, find_run
    from skewbench.storage.store import open_store

    store = open_store(lake)
    found = find_run(store, run)
    _note_newest(run, found.run_id)
    with Console(stderr=True).status(f"compacting {found.run_id}"), Lease(store, found.run_id, note) as lease:
        compacted = compact_run(store, claim(store, lease))
    typer.echo(f"{found.run_id}: merged {len(found.parts)} files into {len(compacted.parts)}")
