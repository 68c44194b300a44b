"""`skewbench sql`: runs one statement, opens a prompt, or prints a script for DuckDB's own shell."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from skewbench.flows.cli.options import Lake
from skewbench.flows.cli.tables import Format, Limit, print_rows
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import polars as pl

_PROMPT, _GOES_ON = "skewbench> ", "      ...> "
_HELP = """SQL over the lake, read-only. End each statement with ;
.tables         list the tables and views
.schema NAME    list the columns of a table or view, with their types
help            show this text
exit            close the prompt, as does Ctrl-D"""
_END, _HELPS = ("exit", "quit", ".exit", ".quit"), ("help", ".help")


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The application `skewbench`.
    """
    app.command("sql")(run_sql)


def run_sql(
    statement: Annotated[
        str | None,
        typer.Argument(metavar="SELECT", help="A SELECT over the lake's views. Without it, a prompt opens."),
    ] = None,
    lake: Lake = "lake",
    script: Annotated[
        bool,
        typer.Option("--script", help="Print a script that defines the views; load it in DuckDB's shell with `.read`."),
    ] = False,
    format: Format = "table",
    limit: Limit = 0,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.0, help="Maximum seconds per statement; 0: no limit.")
    ] = 600.0,
) -> None:
    """Query the lake in SQL (DuckDB, read-only).

    Tables: runs, samples, images, audio, video, stability, scores, group_scores, ratings, and others (`.tables`).

    Without a statement, the command reads statements from a prompt or a pipe. Ctrl-C ends a running statement.
    """
    from skewbench import sql

    if script:
        typer.echo(sql.script(lake))
        return
    _tell_reader(lake)
    with sql.connect(lake) as connection:
        if statement is not None:
            print_rows(_rows(connection, statement, time_limit), format, limit=limit)
            return
        for typed in _statements():
            try:
                print_rows(_rows(connection, _as_statement(typed), time_limit), format, limit=limit)
            except KeyboardInterrupt:
                if not sys.stdin.isatty():
                    raise
                typer.secho("interrupted", fg="red", err=True)
            except InputError as error:
                if not sys.stdin.isatty():
                    raise
                typer.secho(f"error: {error}", fg="red", err=True)


def _tell_reader(lake: str) -> None:
    """For a lake in a bucket, print how DuckDB reads it."""
    from skewbench import sql

    if "://" in lake:
        way = sql.reader(sql.locate(lake))
        typer.echo(f"{lake} is read through {'DuckDB extension httpfs' if way == 'httpfs' else way}", err=True)


def _rows(connection: "duckdb.DuckDBPyConnection", statement: str, time_limit: float) -> "pl.DataFrame":
    from skewbench import sql

    try:
        return sql.select(connection, statement, time_limit or None)
    except ValueError as error:
        hint = "; --time-limit sets the limit" if "was ended after" in str(error) else ""
        raise InputError(str(error) + hint) from None


def _statements() -> Iterator[str]:
    """Yield typed or piped statements, each up to its semicolon. The rest at the end is a statement too."""
    typing = sys.stdin.isatty()
    if typing:
        import readline  # noqa: F401  (line editing and history at the prompt)

        typer.echo(_HELP, err=True)
    lines: list[str] = []
    while True:
        try:
            line = input((_GOES_ON if lines else _PROMPT) if typing else "")
        except EOFError:
            break
        except KeyboardInterrupt:
            if not typing:
                raise
            typer.echo(err=True)  # drops the typed text, as shells do
            lines.clear()
            continue
        command = line.strip().rstrip(";").rstrip().lower()
        if not lines and command in _END:
            return
        if not lines and command in _HELPS:
            typer.echo(_HELP, err=True)
            continue
        lines.append(line)
        if line.rstrip().endswith(";") or (len(lines) == 1 and command.startswith(".")):
            yield "\n".join(lines)
            lines.clear()
    if "".join(lines).strip():
        yield "\n".join(lines)


def _as_statement(typed: str) -> str:
    """Return typed SQL, or the SQL of a command that begins with a dot. Raises `InputError` for unknown commands."""
    name, *given = typed.strip().rstrip(";").split() or [""]
    if not name.startswith("."):
        return typed
    if name == ".tables" and not given:
        return "SHOW TABLES"
    if name == ".schema" and len(given) == 1:
        view = given[0].replace('"', '""')
        return f'SELECT column_name, column_type FROM (DESCRIBE "{view}")'  # noqa: S608  (the user's own prompt)
    raise InputError(f"{typed.strip()!r}: unknown command; use .tables, .schema NAME, help or exit")
