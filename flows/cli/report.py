"""`skewbench report` and `replay`: a run's report, and a script that generates one image again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skewbench.flows.cli.options import AnyRun, Lake, Track
from skewbench.flows.cli.outcome import tell_tracked
from skewbench.flows.cli.tables import warn
from skewbench.vocabulary.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.command("report")(report)
    app.command("replay")(replay)


def report(
    run: AnyRun = None,
    lake: Lake = "lake",
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="RUN", help="Another run, such as last night's: report the changes since."),
    ] = None,
    track: Track = None,
) -> None:
    """Write the report of a run and print its path.

    For a lake in a bucket, also save a copy in the current folder that a browser can open.
    """
    from skewbench import sql
    from skewbench.storage.manifest import find_run, report_path
    from skewbench.storage.store import open_store
    from skewbench.tasks.report import report_run

    warn(sql.problems())
    store = open_store(lake)
    found = find_run(store, run)
    with Console(stderr=True).status(f"writing the report of {found.run_id}"):
        path = report_run(store, found.run_id, against=against)
    typer.echo(f"report: {path}")
    if "://" in store.lake:
        copy = Path(f"{found.run_id}.html").absolute()
        copy.write_bytes(store.read(report_path(found.run_id)))
        typer.echo(f"a copy to open: {copy}")
    tell_tracked(store, found.run_id, track)


def replay(
    sample: Annotated[str, typer.Argument(metavar="SAMPLE_ID", help="Id of a sample, or the beginning of it.")],
    lake: Lake = "lake",
) -> None:
    """Print a script of plain diffusers that generates a sample's image again."""
    from skewbench import sql

    with sql.connect(lake) as connection, sql.part_errors(connection):
        found = connection.execute("SELECT * FROM samples WHERE starts_with(sample_id, ?) LIMIT 2", [sample])
        names = [name for name, *_ in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    if len(rows) != 1:
        raise InputError(f"sample {sample!r}: {'matches several samples' if rows else 'no such sample in this lake'}")
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store
    from skewbench.tasks.experiment import parse_experiment
    from skewbench.tasks.families.registry import BEFORE_FAMILIES, families
    from skewbench.tasks.imports.write import KIND
    from skewbench.tasks.replay import replay_script

    manifest = find_run(open_store(lake), rows[0]["run_id"])
    if rows[0]["knob"] == KIND:
        raise InputError(
            f"sample {rows[0]['sample_id']}: its image was imported, so there is no script that generates it"
        )
    family = families.get(manifest.identity.get("pipeline", BEFORE_FAMILIES))
    experiment = parse_experiment(manifest.experiment, manifest.run_id)
    typer.echo(replay_script(rows[0], experiment, manifest.run_id, family), nl=False)
