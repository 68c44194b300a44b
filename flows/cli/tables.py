"""Rows and tables on standard output, whole: for a person's eyes, for a pipe, for a file."""

import io
import json
import re
import sys
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    import polars as pl

Format = Annotated[
    Literal["table", "csv", "json", "markdown", "parquet"],
    typer.Option("--format", help="How rows are printed; parquet is for a file: > rows.parquet"),
]
_WIDE = 10_000
"""Columns of what is no terminal: nothing is folded for it, so that grep finds a row in its line."""


def console() -> Console:
    """Standard output: as wide as the terminal, and wide where it is a pipe or a file."""
    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)


def note(line: str) -> None:
    """A line beside the output, on standard error."""
    typer.echo(f"note: {line}", err=True)


def folding(*columns: str, title: str | None = None, whole: Collection[str] = ()) -> Table:
    """An empty table. Long values wrap, since users copy ids and commands.

    `whole`: columns that do not wrap while others can.
    """
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    return table


def warn(problems: Iterable[str]) -> None:
    """A line each on standard error, for what is left out while everything else works."""
    for problem in problems:
        typer.echo(f"warning: {problem}", err=True)


def print_rows(rows: "pl.DataFrame", format: str, shared_once: bool = False) -> None:
    """Rows in one of the formats, on standard output.

    `shared_once`: in a table, what all rows share stands once above it, and empty columns are left out: named queries
    have more columns than terminals.
    """
    if format != "table" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # programs read it, whatever the terminal shows
    if format == "csv":
        typer.echo(_flat(rows).write_csv(), nl=False)
    elif format == "json":
        _refuse_bytes(rows)
        typer.echo(rows.write_json())
    elif format == "parquet":
        if sys.stdout.isatty():
            raise InputError("--format parquet writes bytes; redirect them to a file: > rows.parquet")
        content = io.BytesIO()
        rows.write_parquet(content)
        typer.echo(content.getvalue(), nl=False)
    elif format == "markdown":
        for row in (rows.columns, ["---"] * rows.width, *rows.iter_rows()):
            typer.echo("| " + " | ".join(map(_in_markdown, row)) + " |")
    else:
        _print_table(rows, shared_once)


def _flat(rows: "pl.DataFrame") -> "pl.DataFrame":
    """What has parts, such as the values of each step, as JSON text: a CSV file knows no lists."""
    import polars as pl

    _refuse_bytes(rows)
    nested = [name for name, kind in rows.schema.items() if kind.is_nested()]
    texts = [
        pl.Series(name, [None if value is None else json.dumps(value, default=str) for value in rows[name].to_list()])
        for name in nested
    ]
    return rows.with_columns(text.cast(pl.String) for text in texts)


def _refuse_bytes(rows: "pl.DataFrame") -> None:
    for name, kind in rows.schema.items():
        if "Binary" in str(kind):
            raise InputError(f"column {name!r} contains bytes; leave it out, or use --format parquet")


def _print_table(rows: "pl.DataFrame", shared_once: bool) -> None:
    same = [name for name in rows.columns if shared_once and rows.height > 1 and rows[name].n_unique() == 1]
    out = console()
    for name in same:
        if rows[name][0] not in (None, ""):
            out.print(Text(f"{_shown(name)}: {_shown(rows[name][0])}"))
    table = folding(*(escape(_shown(name)) for name in rows.columns if name not in same))
    for row in rows.drop(same).iter_rows():
        table.add_row(*(Text(_shown(value)) for value in row))
    out.print(table)


def plain(value: object) -> Text:
    """A value in a table: a lake's texts are anybody's, and neither markup nor a terminal's commands."""
    return Text(_shown(value))


def _shown(value: object) -> str:
    """A value for people. Prompts are anybody's: what would steer a terminal is spelled out."""
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _in_markdown(value: object) -> str:
    return re.sub(r"([\\|`\[\]])", r"\\\1", _shown(value)).replace("<", "&lt;")
