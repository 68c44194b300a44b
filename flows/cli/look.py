"""`skewbench query`, `sql`, `report` and `replay`: looking at what is in a lake."""

from typing import Annotated, Literal

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

import sql
from flows.cli.options import AnyRun, Lake
from tasks.errors import InputError
from tasks.experiment import parse_experiment
from tasks.lake.manifest import find_run
from tasks.lake.store import open_store
from tasks.replay import replay_script

Format = Annotated[Literal["table", "csv", "json", "markdown"], typer.Option("--format", help="How rows are printed.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("query")(query)
    app.command("sql")(run_sql)
    app.command("report")(report)
    app.command("replay")(replay)


def query(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The query; without it, the list of queries.")
    ] = None,
    lake: Lake = "lake",
    run: Annotated[str | None, typer.Option("--run", help="One run; all committed runs where left out.")] = None,
    branch: Annotated[
        Literal["cond", "uncond"] | None,
        typer.Option(help="Measures of one half of guidance; the mean of both where left out."),
    ] = None,
    format: Format = "table",
) -> None:
    """Answer a named question about the runs of a lake, such as `correlations`."""
    if name is None:
        table = Table("query", "question")
        for known in sql.queries():
            table.add_row(known.name, known.question)
        Console().print(table)
        return
    runs = find_run(open_store(lake), run).run_id if run else None
    with sql.connect(lake, runs, branch=branch) as connection:
        _print(sql.query(connection, name), format)


def run_sql(
    statement: Annotated[
        str | None,
        typer.Argument(
            metavar="[SELECT]", help="One SELECT over the lake's views; without it, the script that defines them."
        ),
    ] = None,
    lake: Lake = "lake",
    format: Format = "table",
) -> None:
    """Query the lake in SQL (DuckDB, read-only).

    Tables: samples, images, stability, scores, group_scores, analysis, runs. Without a statement, prints the script
    that defines the views, for the DuckDB shell: skewbench sql > views.sql, then .read views.sql
    """
    if statement is None:
        typer.echo(sql.script(lake))
        return
    with sql.connect(lake) as connection:
        _print(sql.select(connection, statement), format)


def report(run: AnyRun = None, lake: Lake = "lake") -> None:
    """Write the report of a run anew, and print its path."""
    from tasks.report import report_run

    store = open_store(lake)
    found = find_run(store, run)
    with Console(stderr=True).status(f"writing the report of {found.run_id}"):
        path = report_run(store, found.run_id)
    typer.echo(f"report: {path}")


def replay(
    sample: Annotated[str, typer.Argument(metavar="SAMPLE_ID", help="A sample's id, or the beginning of it.")],
    lake: Lake = "lake",
) -> None:
    """Print a script of plain diffusers that draws a sample's picture again."""
    with sql.connect(lake) as connection:
        rows = (
            connection.execute("SELECT * FROM samples WHERE starts_with(sample_id, ?) LIMIT 2", [sample])
            .pl()
            .to_dicts()
        )
    if len(rows) != 1:
        raise InputError(f"sample {sample!r}: {'matches several samples' if rows else 'no such sample in this lake'}")
    manifest = find_run(open_store(lake), rows[0]["run_id"])
    typer.echo(
        replay_script(rows[0], parse_experiment(manifest.experiment, manifest.run_id), manifest.run_id), nl=False
    )


def _print(rows: pl.DataFrame, format: str) -> None:
    if format == "csv":
        typer.echo(rows.write_csv(), nl=False)
    elif format == "json":
        typer.echo(rows.write_json())
    elif format == "markdown":
        with pl.Config(
            tbl_formatting="MARKDOWN",
            tbl_rows=-1,
            tbl_cols=-1,
            tbl_hide_column_data_types=True,
            tbl_hide_dataframe_shape=True,
            fmt_str_lengths=200,
        ):
            typer.echo(str(rows))
    else:
        table = Table(*rows.columns)
        for row in rows.iter_rows():
            table.add_row(*map(_shown, row))
        Console().print(table)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
