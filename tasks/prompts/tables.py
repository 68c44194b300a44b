"""Prompts in files: a text file with one per line, or a table with a column of prompts."""

from pathlib import Path
from typing import TYPE_CHECKING

from skewbench.tasks.prompts.columns import Column, of_csv, of_jsonl, of_tsv
from skewbench.tasks.prompts.prompt import Prompt, prompt
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.texts import lines_of

if TYPE_CHECKING:
    import polars as pl

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_NO_TEXT = (".json", ".yaml", ".yml", ".xlsx", ".xls", ".ods", ".zip", ".gz")
"""Extensions of files that are neither a list of prompts nor a supported table."""
USUAL = ("prompt", "Prompt", "caption", "text")
"""Default names of the column, in the order of search."""


def read_file(path: Path, column: str | None, category: str | None) -> list[Prompt]:
    """Read the prompts of a file, by its ending: .csv, .tsv, .jsonl, .parquet, or else text with one prompt per line.

    Args:
        path: The file.
        column: Column of the prompts; None: the first one with a usual name.
        category: Column of the categories; None: there are none.

    Raises:
        InputError: The file cannot be read, has no such column, or is of an unsupported type.
    """
    if path.suffix.lower() in TABLES:
        return from_table(read_table(path), f"prompts.path {str(path)!r}", column, category)
    if column or category:
        raise InputError(f"prompts.column: {str(path)!r} is a text file with one prompt per line and has no columns")
    if path.suffix.lower() in _NO_TEXT:
        raise InputError(
            f"prompts.path {str(path)!r}: unsupported file type; use a text file (one prompt per line) or "
            f"{', '.join(TABLES)}. For COCO captions, set source: coco"
        )
    return [prompt(line.strip()) for line in lines_of(read_text(path)) if line.strip()]


def read_text(path: Path, named: str = "prompts.path") -> str:
    """Read a UTF-8 file and drop its byte order mark.

    Args:
        path: The file.
        named: Field that names the file, for error messages.

    Raises:
        InputError: The file cannot be read, or is not UTF-8. The message names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{named} {str(path)!r}: {error.strerror or error}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(lines_of(content[: error.start].decode("latin-1")))
        raise InputError(f"{named} {str(path)!r}: line {line} is not UTF-8 text (byte {error.start})") from None


def read_table(path: Path, named: str = "prompts.path") -> dict[str, Column]:
    """Read the columns of a table, by the file's ending.

    Args:
        path: The file.
        named: Field that names the file, for error messages.

    Raises:
        InputError: The file is not a readable table. The message names the line if the format has lines.
    """
    kind = path.suffix.lower()
    where = f"{named} {str(path)!r}"
    if kind == ".parquet":
        import polars as pl

        try:
            return columns_of(pl.read_parquet(path))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{where}: not a readable {kind} table ({_first_line(error)})") from None
    read = {".csv": of_csv, ".tsv": of_tsv}.get(kind, of_jsonl)
    try:
        return read(read_text(path, named))
    except ValueError as error:
        raise InputError(f"{where}: not a readable {kind} table ({error})") from None


def columns_of(table: "pl.DataFrame") -> dict[str, Column]:
    """Return the columns of a data frame as texts. Columns of lists, bytes and the like have none.

    Args:
        table: The data frame.
    """
    return {name: _of_series(table[name]) for name in table.columns}


def _of_series(series: "pl.Series") -> Column:
    import polars as pl

    kind = series.dtype
    rows = [f"row {number}" for number in range(1, len(series) + 1)]
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        return Column([None] * len(series), rows, other=str(kind))
    is_text = kind in (pl.String, pl.Null) or isinstance(kind, pl.Categorical | pl.Enum)
    return Column(series.cast(pl.String).to_list(), rows, other="" if is_text else str(kind), is_plain=True)


def from_table(
    table: dict[str, Column], where: str, column: str | None, category: str | None, challenge: str | None = None
) -> list[Prompt]:
    """Make the prompts of a table's column. Rows without a text are left out.

    Args:
        table: The columns by name.
        where: File or data set, for error messages.
        column: Column of the prompts; None: the first one with a usual name.
        category: Column of the categories; None: there are none.
        challenge: Column of the challenges; None: there are none.

    Raises:
        InputError: A column does not exist, or holds no texts.
    """
    column = column or next((name for name in USUAL if name in table), None)
    requested = {"column": column, "category_column": category, "challenge": challenge}
    for field, name in requested.items():
        if name is not None and name not in table:
            raise InputError(f"prompts.{field} {name!r}: no such column in {where}; its columns are {', '.join(table)}")
    if column is None:
        raise InputError(f"{where}: has no column of a usual name; set prompts.column:  {', '.join(table)}")
    for field, name in requested.items():
        if name is not None:
            table[name].check(f"prompts.{field} {name!r}: ", must_be_text=field == "column")
    empty = [None] * len(table[column].texts)
    rows = zip(*(table[name].texts if name else empty for name in requested.values()), strict=True)
    return [prompt(text.strip(), kind, hard) for text, kind, hard in rows if text and text.strip()]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
