"""The rows of a statement as a data frame, within the memory of a laptop and the types of Polars and Python."""

import re
from itertools import count

import duckdb
import polars as pl
import pyarrow as pa

LARGEST = 4_000_000_000
"""Bytes of an answer."""
_AT_ONCE = 1_000_000
_FOREIGN = re.compile(r"\b(INTERVAL|UNION|BIT|BIGNUM)\b")
_CLASSES = {"IO Error": duckdb.IOException, "Invalid Input Error": duckdb.InvalidInputException}
_DAYS = (-719_162, 2_932_896)
"""The first and last day of Python's calendar, in the years 1 and 9999, counted from 1970."""
_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def frame(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the rows of the statement that was executed last.

    Raises:
        ValueError: The answer has more than `LARGEST` bytes.
        duckdb.Error: What DuckDB raises while rows are read.
    """
    batches, size = [], 0
    try:
        reader = connection.to_arrow_reader(_AT_ONCE)
        for batch in reader:
            batches.append(batch)
            size += batch.nbytes
            if size > LARGEST:
                raise ValueError(f"the answer has more than {LARGEST / 1e9:g} GB; add LIMIT, or select fewer columns")
    except OSError as error:  # Arrow knows DuckDB's errors by their messages alone
        kind, colon, _ = str(error).partition(":")
        named = bool(colon) and kind.endswith("Error")
        raise _CLASSES.get(kind, duckdb.DatabaseError if named else duckdb.Error)(str(error)) from error
    table = pa.Table.from_batches(batches, reader.schema)
    return pl.DataFrame(table.rename_columns(_distinct(table.column_names)))


def _distinct(names: list[str]) -> list[str]:
    """Names of which each is there once: a second `a` becomes `a_1`."""
    found: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in count(1))
        found.append(name if name not in found else next(other for other in others if other not in {*names, *found}))
    return found


def is_foreign(kind: str) -> bool:
    """Return whether Polars has no such type of DuckDB, or shows its values as bytes that mean nothing."""
    return bool(_FOREIGN.search(kind))


def is_beyond_calendar(series: pl.Series) -> bool:
    """Return whether a column has times that Python cannot hold, such as DuckDB's infinite ones."""
    kind = series.dtype
    if not isinstance(kind, pl.Date | pl.Datetime):
        return False
    per_day = _PER_DAY[kind.time_unit] if isinstance(kind, pl.Datetime) else 1
    days = series.to_physical().drop_nulls() // per_day
    return not days.is_between(*_DAYS).all()
