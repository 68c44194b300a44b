"""`skewbench query` and `claims`: named questions about the runs of a lake."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from skewbench.flows.cli import completion
from skewbench.flows.cli.options import AnyRun, Lake
from skewbench.flows.cli.tables import Format, Limit, console, folding, print_rows, show, warn
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.user_paths import user_path

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from skewbench.sql import Context, Query

Branch = Annotated[
    Literal["cond", "uncond", "weak"] | None,
    typer.Option(help="Guidance branch of the measures. Default: the mean of cond and uncond."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.command("query")(query)
    app.command("claims")(claims)


def query(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Name of the query. Without it, all queries are listed.",
            autocompletion=completion.queries,
        ),
    ] = None,
    lake: Lake = "lake",
    run: Annotated[
        str | None,
        typer.Option("--run", help="One run. Default: all committed runs.", autocompletion=completion.runs),
    ] = None,
    branch: Branch = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the query, such as fraction=0.1."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION", help="Print the rows that meet a SQL condition, such as \"metric = 'binding'\"."
        ),
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="Describe the query's parameters and columns; needs no lake.")
    ] = False,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="Draw the query's figure into a .png or .svg file instead."),
    ] = None,
    format: Format = "table",
    limit: Limit = 0,
) -> None:
    """Answer a named question about the runs of a lake, such as `correlations`."""
    from skewbench import sql
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store

    warn(sql.problems())
    if name is None:
        table = folding("query", "question")
        for known in sql.named_queries():
            table.add_row(known.name, known.question)
        show(table)
        return
    about = sql.find(name)  # before the lake is opened: an unknown name is an error for every lake
    if columns:
        _describe(about)
        return
    if figure is not None and where is not None:
        raise InputError("--where selects printed rows and has no effect on --figure; leave one of them out")
    if figure is not None:
        figure = user_path(figure, "--figure")
        _check_figure(about, figure)
    given = dict(map(_setting, settings or []))
    store = open_store(lake)
    of_runs = [parameter.name for parameter in about.parameters if parameter.kind == "run"]
    given |= {name: find_run(store, given[name]).run_id for name in of_runs if given.get(name)}
    runs: list[str] | None = [find_run(store, run).run_id] if run else None
    if runs and {"run", "against"} <= set(of_runs):  # of two runs, `--run` is the later one
        given.setdefault("run", runs[0])
        runs = [*runs, given["against"]] if "against" in given else None
    with sql.connect(lake, runs, branch=branch) as connection:
        try:
            rows = sql.query(connection, name, **given)
        except ValueError as error:
            raise InputError(str(error)) from None
        selected = rows if where is None else _selected(rows, where)
        _note_missing(connection, rows, about, given)
        if figure is None:
            print_rows(selected, format, shared_once=True, limit=limit)
        else:
            _draw(about, rows, sql.read_context(connection), figure)


def _selected(rows: "pl.DataFrame", where: str) -> "pl.DataFrame":
    import polars as pl

    try:
        found = rows.filter(pl.sql_expr(where))
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", 1)[0].split("; ", 1)[0]
        raise InputError(f"--where {where!r}: {reason}; columns: {', '.join(rows.columns)}") from None
    if found.is_empty() and not rows.is_empty():
        typer.echo(f"note: none of the {rows.height} rows meets --where", err=True)
    return found


def claims(run: AnyRun = None, lake: Lake = "lake", branch: Branch = None, format: Format = "table") -> None:
    """Compare a run with the published claims: one row per claim, with a verdict."""
    from skewbench import sql
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store
    from skewbench.tasks.claims import claims as hold
    from skewbench.tasks.claims import counted

    found = find_run(open_store(lake), run)
    with sql.connect(lake, found.run_id, include_running=True, branch=branch) as connection:
        rows = hold(connection, found.run_id)
        _note_missing(connection, rows, None, {})
    if format == "table":
        rows = rows.drop("group", "low", "high").with_columns(interval=_interval(rows)).select(_SHOWN_OF_CLAIMS)
    print_rows(rows, format, shared_once=True)
    typer.echo(", ".join(f"{count} {verdict}" for verdict, count in counted(rows)), err=True)


_SHOWN_OF_CLAIMS = ["source", "claim", "metric", "measured_by", "published", "ours", "interval", "n", "verdict", "why"]


def _interval(rows: "pl.DataFrame") -> "pl.Series":
    import polars as pl

    ends = zip(rows["low"], rows["high"], strict=True)
    return pl.Series([f"[{low:.3g}, {high:.3g}]" if low is not None else None for low, high in ends], dtype=pl.String)


def _describe(about: "Query") -> None:
    """Print the declaration of a query."""
    out = console()
    out.print(f"{about.name}: {about.question}", highlight=False)
    if about.method:
        out.print(f"\n{about.method}", highlight=False, markup=False)
    if about.parameters:
        table = folding("--set", "kind", "what it selects")
        for parameter in about.parameters:
            table.add_row(parameter.name, parameter.kind, parameter.meaning)
        out.print(table)
    table = folding("column", "type", "meaning")
    for column in about.columns:
        table.add_row(column.name, column.type, column.meaning)
    out.print(table)
    out.print(f"Source: {about.source}", highlight=False, markup=False)


def _check_figure(about: "Query", figure: Path) -> None:
    from skewbench import sql

    if figure.suffix not in (".png", ".svg"):
        raise InputError(f"--figure {str(figure)!r}: the file name must end in .png or .svg")
    if not about.figure:
        having = ", ".join(query.name for query in sql.named_queries() if query.figure)
        raise InputError(f"query {about.name!r} has no figure; queries with one: {having}")


def _draw(about: "Query", rows: "pl.DataFrame", context: "Context", figure: Path) -> None:
    """Draw each chart of the figure into a file. The first file has the given name."""
    from skewbench.eval.figures import draw

    drawings = [drawing for drawing in about.draw(rows, context) if drawing.layout != "narrow"]
    if not drawings:
        raise RunError(f"query {about.name!r} has no data to plot for these runs")
    for number, drawing in enumerate(drawings, 1):
        path = figure if number == 1 else figure.with_stem(f"{figure.stem}-{number}")
        path.write_bytes(draw(drawing.chart.to_dict(), "svg" if figure.suffix == ".svg" else "png"))
        typer.echo(f"{path}: {drawing.label or about.question}")


_MISSING = """
    SELECT metric, min(reason) FROM missing_metrics AS missing
    WHERE ($runs IS NULL OR list_contains($runs, run_id)) AND NOT list_contains($there, metric) AND (
        CASE WHEN $requested IS NOT NULL THEN list_contains($requested, metric)
        WHEN len($there) = 0 THEN true
        WHEN metric IN (SELECT metric FROM all_scores) THEN list_has_any($kinds, ['sample'])
        ELSE list_has_any($kinds, ['prompt', 'cell']) END)
    GROUP BY metric ORDER BY metric"""
"""Metrics that are missing from the rows: the requested ones, else those of the kinds that the rows have."""


def _note_missing(
    connection: "duckdb.DuckDBPyConnection", rows: "pl.DataFrame", about: "Query | None", given: Mapping[str, str]
) -> None:
    """Print notes on why some or all metrics are missing from the rows."""
    scored = connection.execute("SELECT count(*) FROM metrics").fetchall()[0][0]
    choosing = [one.name for one in about.parameters if one.kind == "metric"] if about else []
    notes = []
    if choosing or "metric" in rows.columns:
        there = [str(metric) for metric in rows["metric"].unique()] if "metric" in rows.columns else []
        runs = [str(run) for run in rows["run_id"].unique()] if "run_id" in rows.columns and rows.height else None
        kinds = connection.execute(
            "SELECT DISTINCT kind FROM metrics WHERE list_contains(?, metric)", [there]
        ).fetchall()
        requested = [given[name] for name in choosing if name in given] if choosing else None
        parameters = {"runs": runs, "there": there, "kinds": [kind for (kind,) in kinds], "requested": requested}
        notes = _missing_notes(connection.execute(_MISSING, parameters).fetchall())
    if not scored and ("metric" in rows.columns or rows.is_empty()):
        notes.append("no metric has a value; `skewbench score RUN` scores the existing images")
    elif rows.is_empty():
        notes.append("no rows: the runs lack the data for this query, or a baseline to compare with")
    for line in notes:
        typer.echo(f"note: {line}", err=True)


def _missing_notes(missing: list[tuple[str, str]]) -> list[str]:
    """Describe missing metrics in one line."""
    if len(missing) > 1:
        named = ", ".join(metric for metric, _ in missing[:3]) + (", …" if len(missing) > 3 else "")
        return [f"{len(missing)} metrics have no values ({named}): see `skewbench runs show RUN` for the reasons"]
    return [f"{metric} is missing: {reason}" for metric, reason in missing]


def _setting(given: str) -> tuple[str, str]:
    """Parse `name=value`. Values stay text, because the query knows which are numbers: a cell may be named 1.2."""
    name, equals, value = given.partition("=")
    if not (name and equals):
        raise InputError(f"--set {given!r}: use NAME=VALUE, such as fraction=0.1")
    return name, value
