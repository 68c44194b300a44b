"""Prompts in files: a text file, one a line, or a table with a column of prompts."""

from pathlib import Path
from typing import TYPE_CHECKING

from skewbench.tasks.prompts.prompt import Prompt, prompt
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    import polars as pl

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_NO_TEXT = (".json", ".yaml", ".yml", ".xlsx", ".xls", ".ods", ".zip", ".gz")
"""Endings of files that are no list of prompts, and no table of ours either."""
USUAL = ("prompt", "Prompt", "caption", "text")
"""Names of the column that are looked for where none is given, in this order."""


def read_file(path: Path, column: str | None, category: str | None) -> list[Prompt]:
    """The prompts of a file, by its ending: .csv, .tsv, .jsonl, .parquet, or else text. Raises `InputError`."""
    if path.suffix.lower() in TABLES:
        return from_table(read_table(path), f"prompts.path {str(path)!r}", column, category)
    if column or category:
        raise InputError(f"prompts.column: {str(path)!r} is a text file with one prompt per line and has no columns")
    if path.suffix.lower() in _NO_TEXT:
        raise InputError(
            f"prompts.path {str(path)!r}: unsupported file type; use a text file (one prompt per line) or "
            f"{', '.join(TABLES)}. For COCO captions, set source: coco"
        )
    return [prompt(line.strip()) for line in read_text(path).splitlines() if line.strip()]


def read_text(path: Path) -> str:
    """A UTF-8 file. Raises `InputError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"prompts.path {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"prompts.path {str(path)!r}: not UTF-8 text (byte {error.start})") from None


def read_table(path: Path) -> "pl.DataFrame":
    """A table by its ending. Columns of a CSV or TSV file are text; a TSV file has no quotes. Raises `InputError`."""
    import polars as pl

    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return pl.read_parquet(path)
        content = read_text(path).encode()
        if kind == ".csv":
            return pl.read_csv(content, infer_schema=False)
        if kind == ".tsv":
            return pl.read_csv(content, separator="\t", quote_char=None, infer_schema=False)
        return pl.read_ndjson(content, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"prompts.path {str(path)!r}: not a readable {kind} table ({_first_line(error)})") from None


def from_table(
    table: "pl.DataFrame", where: str, column: str | None, category: str | None, challenge: str | None = None
) -> list[Prompt]:
    """The prompts of a table's column; rows without one are left out. Raises `InputError`."""
    import polars as pl

    column = column or next((name for name in USUAL if name in table.columns), None)
    requested = {"column": column, "category_column": category, "challenge": challenge}
    for field, name in requested.items():
        if name is not None and name not in table.columns:
            raise InputError(
                f"prompts.{field} {name!r}: no such column in {where}; its columns are {', '.join(table.columns)}"
            )
    if column is None:
        raise InputError(f"{where}: has no column of a usual name; set prompts.column:  {', '.join(table.columns)}")
    if table.schema[column] not in (pl.String, pl.Null):
        raise InputError(f"prompts.column {column!r}: contains {table.schema[column]}, not text")
    rows = zip(*(_texts(table, name) for name in requested.values()), strict=True)
    return [prompt(text.strip(), kind, hard) for text, kind, hard in rows if text and text.strip()]


def _texts(table: "pl.DataFrame", name: str | None) -> list[str | None]:
    import polars as pl

    return [None] * table.height if name is None else table[name].cast(pl.String).to_list()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
