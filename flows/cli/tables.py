"""Prints rows and tables on standard output without truncation, for terminals, pipes and files."""

import io
import json
import os
import re
import sys
from collections.abc import Collection, Iterable
from itertools import product
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    import polars as pl

Format = Annotated[
    Literal["table", "csv", "json", "markdown", "parquet"],
    typer.Option("--format", help="Output format. Redirect parquet to a file: > rows.parquet"),
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Print at most N rows. Default: all.")]
Document = Annotated[Literal["text", "json"], typer.Option("--format", help="json prints all values for programs.")]
_WIDE = 10_000
"""Width of output that is not a terminal: lines do not wrap, so that grep finds a whole row."""
_LONG = 30
"""Characters of a text, such as a cell's settings, that would crowd out the other columns."""
_TEXTS = (20, 12)
"""Characters to which a column of texts can be folded: most names are whole, or can still be read."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of texts that spreadsheets interpret as formulas."""
_UNPRINTABLE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that control a terminal or its text direction, and that JSON does not escape."""
_CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f]|{_UNPRINTABLE.pattern}")


def console() -> Console:
    """Return standard output: as wide as the terminal, or very wide for a pipe or a file."""
    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)


def show(*parts: RenderableType) -> None:
    """Print on standard output. In a terminal, output longer than the screen opens in a pager (PAGER, or less).

    Args:
        parts: Tables and lines.
    """
    out = console()
    whole = Group(*parts)
    long = out.is_terminal and sys.stdin.isatty() and len(out.render_lines(whole, pad=False)) > out.height
    if not long:
        out.print(whole)
        return
    os.environ.setdefault("LESS", "-R")  # colours
    with out.pager(styles=True):
        out.print(whole)


def print_json(content: object) -> None:
    """Print a value as JSON on standard output.

    Args:
        content: Lists, dictionaries and plain values.
    """
    text = json.dumps(content, ensure_ascii=False, indent=2)
    typer.echo(_UNPRINTABLE.sub(_as_json_escape, text))


def note(line: str) -> None:
    """Print a note on standard error.

    Args:
        line: One line of text.
    """
    typer.echo(f"note: {line}", err=True)


def folding(*columns: str, title: str | None = None, whole: Collection[str] = ()) -> Table:
    """Make an empty table in which long values wrap, since users copy ids and commands.

    Args:
        columns: Headings.
        title: Title above the table.
        whole: Columns that do not wrap while others can.
    """
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    return table


def warn(problems: Iterable[str]) -> None:
    """Print one line per problem on standard error, for plug-ins that are skipped.

    Args:
        problems: Lines of text.
    """
    for problem in problems:
        typer.echo(f"warning: {problem}", err=True)


def print_rows(rows: "pl.DataFrame", format: str, shared_once: bool = False, limit: int = 0) -> None:
    """Print rows on standard output, and a note if there are more.

    Args:
        rows: The rows.
        format: A value of `Format`.
        shared_once: In a table, print values that all rows share once above it, print long texts that describe a cell
            once below it, and omit empty columns: named queries have more columns than terminals.
        limit: Maximum number of rows; 0: all.

    Raises:
        InputError: Bytes for a terminal, or in a format of text.
    """
    if limit and rows.height > limit:
        note(f"showing the first {limit} of {rows.height} rows; change this with --limit")
        rows = rows.head(limit)
    if format != "table" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # programs read it, independent of the terminal
    if format == "csv":
        typer.echo(_harmless(_flat(rows)).write_csv(), nl=False)
    elif format == "json":
        _refuse_bytes(rows)
        typer.echo(_UNPRINTABLE.sub(_as_json_escape, rows.write_json()))
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
    """Convert nested values, such as one per step, to JSON text, since CSV has no lists."""
    import polars as pl

    _refuse_bytes(rows)
    nested = [name for name, kind in rows.schema.items() if kind.is_nested()]
    texts = [
        pl.Series(name, [None if value is None else json.dumps(value, default=str) for value in rows[name].to_list()])
        for name in nested
    ]
    return rows.with_columns(text.cast(pl.String) for text in texts)


def _harmless(rows: "pl.DataFrame") -> "pl.DataFrame":
    """Escape texts that a spreadsheet would run as a formula or a terminal would obey, and print a note.

    Source: OWASP, CSV injection.
    """
    import polars as pl

    changed = 0

    def text(value: str | None) -> str | None:
        nonlocal changed
        if value is None:
            return None
        safe = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
        safe = f"'{safe}" if safe.startswith(_FORMULA) else safe
        changed += safe != value
        return safe

    texts = [name for name, kind in rows.schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)]
    columns = [pl.Series(name, [text(value) for value in rows[name].cast(pl.String)], pl.String) for name in texts]
    rows = rows.with_columns(columns).rename({name: text(name) or "" for name in rows.columns})
    if changed:
        note(
            f"{changed} texts are changed in CSV: texts that begin with =, +, - or @ get a leading ', because "
            "spreadsheets would run them, and control characters are escaped; --format parquet or json keeps them"
        )
    return rows


def _as_json_escape(found: "re.Match[str]") -> str:
    return json.dumps(found[0])[1:-1]


def _refuse_bytes(rows: "pl.DataFrame") -> None:
    for name, kind in rows.schema.items():
        if "Binary" in str(kind):
            raise InputError(f"column {name!r} contains bytes; leave it out, or use --format parquet")


def _print_table(rows: "pl.DataFrame", shared_once: bool) -> None:
    same = [name for name in rows.columns if shared_once and rows.height > 1 and rows[name].n_unique() == 1]
    shared = [name for name in same if rows[name][0] not in (None, "")]
    rest = rows.drop(same)
    keys, of_cells = _of_cells(rest) if shared_once else ([], [])
    main = rest.drop(of_cells)
    if shared_once and (left_out := _too_many(main)):
        note(f"not shown, because the terminal is too narrow: {', '.join(left_out)}; --format csv prints all columns")
        main = main.drop(left_out)
    parts: list[RenderableType] = [Text(f"{_shown(name)}: {_shown(rows[name][0])}") for name in shared]
    parts.append(_table(main))
    if of_cells:
        parts.append(_table(rest.select(*keys, *of_cells).unique(keys, maintain_order=True)))
    show(*parts)


def _of_cells(rows: "pl.DataFrame") -> tuple[list[str], list[str]]:
    """The columns that identify a cell, and the long texts that describe one. These get a table of their own."""
    keys = [name for name in rows.columns if name in ("run_id", "cell")]
    if "cell" not in keys or not rows.height:
        return keys, []
    texts = [name for name in rows.columns if name not in keys and max(map(len, map(_shown, rows[name]))) > _LONG]
    each = rows.group_by(keys).n_unique()
    return keys, [name for name in texts if each[name].max() == 1]


def _too_many(rows: "pl.DataFrame") -> list[str]:
    """The columns to leave out so that no number wraps: from the right, but never keys, intervals and counts.

    None if the rest would not fit either.
    """
    numbers = [name for name, kind in rows.schema.items() if kind.is_numeric()]
    optional = [name for name in numbers[1:] if name not in ("low", "high", "n", "change")]
    for texts, count in product(_TEXTS, range(len(optional) + 1)):
        left_out = optional[len(optional) - count :]
        if _fits(rows.drop(left_out), texts):
            return left_out
    return []


def _fits(rows: "pl.DataFrame", texts: int) -> bool:
    widths = {name: max(len(_shown(value)) for value in (name, *rows[name])) for name in rows.columns}
    least = sum(widths[name] if rows[name].dtype.is_numeric() else min(widths[name], texts) for name in widths)
    return least + 3 * len(widths) + 1 <= console().width


def _table(rows: "pl.DataFrame") -> Table:
    """A table in which numbers do not wrap, if the terminal is wide enough for that."""
    heads = {name: escape(_shown(name)) for name in rows.columns}
    numbers = [head for name, head in heads.items() if rows[name].dtype.is_numeric()]
    table = folding(*heads.values(), whole=numbers if _fits(rows, min(_TEXTS)) else ())
    for row in rows.iter_rows():
        table.add_row(*map(plain, row))
    return table


def plain(value: object) -> Text:
    """Return a value as text of a table, without markup or control characters, because a lake may be untrusted.

    Args:
        value: A value of a row.
    """
    return Text(_shown(value))


def _shown(value: object) -> str:
    """Return a value as readable text. Control characters are escaped, because prompts may be untrusted."""
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _in_markdown(value: object) -> str:
    return re.sub(r"([\\|`\[\]])", r"\\\1", _shown(value)).replace("<", "&lt;")
