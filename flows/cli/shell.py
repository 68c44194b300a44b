"""`skewbench sql`: one statement, a prompt for many, or the script that opens the lake in DuckDB's own shell."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from skewbench.flows.cli.options import Lake
from skewbench.flows.cli.tables import Format, print_rows
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import polars as pl

_PROMPT, _GOES_ON = "skewbench> ", "      ...> "
_HELLO = "SQL over the lake, read-only: SHOW TABLES; lists the views. A statement ends with ; and control-D ends it."


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The application `skewbench`.
    """
    app.command("sql")(run_sql)


def run_sql(
    statement: Annotated[
        str | None,
        typer.Argument(metavar="[SELECT]", help="A SELECT over the lake's views. Without it, a prompt opens."),
    ] = None,
    lake: Lake = "lake",
    script: Annotated[
        bool,
        typer.Option("--script", help="Print the session as SQL for `.read` in DuckDB's shell."),
    ] = False,
    format: Format = "table",
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.0, help="Seconds after which a statement is ended; 0: no limit.")
    ] = 600.0,
) -> None:
    """Query the lake in SQL (DuckDB, read-only).

    Tables: samples, images, audio, video, stability, scores, group_scores, analysis, regressions, trials, runs. Without
    a statement, reads statements from a prompt, or from a pipe. Control-C ends a statement that is running.
    """
    from skewbench import sql

    if script:
        typer.echo(sql.script(lake))
        return
    _tell_reader(lake)
    with sql.connect(lake) as connection:
        if statement is not None:
            print_rows(_rows(connection, statement, time_limit), format)
            return
        for typed in _statements():
            try:
                print_rows(_rows(connection, typed, time_limit), format)
            except KeyboardInterrupt:
                if not sys.stdin.isatty():
                    raise
                typer.secho("interrupted", fg="red", err=True)
            except InputError as error:
                if not sys.stdin.isatty():
                    raise
                typer.secho(f"error: {error}", fg="red", err=True)


def _tell_reader(lake: str) -> None:
    """For a lake in a bucket: which of the two ways DuckDB takes to it."""
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
        raise InputError(" ".join(str(error).split()) + hint) from None


def _statements() -> Iterator[str]:
    """Yield statements as they are typed or piped in, each up to its semicolon; the rest at the end is one too."""
    typing = sys.stdin.isatty()
    if typing:
        import readline  # noqa: F401  (line editing and history at the prompt)

        typer.echo(_HELLO, err=True)
    lines: list[str] = []
    while True:
        try:
            lines.append(input((_GOES_ON if lines else _PROMPT) if typing else ""))
        except EOFError:
            break
        except KeyboardInterrupt:
            if not typing:
                raise
            typer.echo(err=True)  # what was typed so far is dropped, as shells do
            lines.clear()
            continue
        if lines[-1].rstrip().endswith(";"):
            yield "\n".join(lines)
            lines.clear()
    if "".join(lines).strip():
        yield "\n".join(lines)
