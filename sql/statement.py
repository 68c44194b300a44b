"""Runs SQL that a user typed: it can read the lake but not change it, and it ends."""

import re
from collections.abc import Callable
from itertools import count

import duckdb
import polars as pl
import pyarrow as pa
from duckdb import StatementType
from duckdb.sqltypes import DuckDBPyType

from skewbench.sql.interrupts import interruptible
from skewbench.sql.memory import more_memory
from skewbench.sql.part_checks import part_errors
from skewbench.vocabulary.errors import RunError

LARGEST_ANSWER = 2**30
"""Maximum size of the rows of a typed statement in bytes. DuckDB's own memory is limited, that of rows is not."""
_BATCH = 100_000
_PLAIN = frozenset(
    ("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
     "uhugeint", "float", "double", "decimal", "varchar", "blob", "uuid", "enum", "sqlnull"),
)  # fmt: skip
_TIMES = frozenset(("date", "time", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"))
_TIMES_WITH_ZONE = frozenset(("timestamp with time zone",))
_DAY = 24 * 60 * 60
_YEARS_1_TO_9999 = (-719_162, 2_932_896)
"""Days since 1970 that Python can show."""


def select(connection: duckdb.DuckDBPyConnection, text: str, seconds: float | None = None) -> pl.DataFrame:
    """Run read-only SQL and return the rows of the last statement.

    The locks of `skewbench.sql.connect` keep a query inside the lake; this also refuses statements that could write
    into it. Values of types that Polars does not have, such as intervals, are returned as text.

    Args:
        connection: A connection of `skewbench.sql.connect`.
        text: One or more statements. Allowed are SELECT (also WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, PIVOT),
            EXPLAIN of these, and SET VARIABLE.
        seconds: Time limit; None: no limit.

    Raises:
        LakeError: A part that a manifest names is missing or broken.
        RunError: There is too little memory.
        ValueError: No statement, a statement that is not allowed, SQL that DuckDB refuses, with DuckDB's message, a
            statement that takes longer than the limit, or an answer larger than `LARGEST_ANSWER`.
        KeyboardInterrupt: The user interrupted the statement. The connection stays usable.
    """
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise ValueError(str(error)) from error
    if not statements:
        raise ValueError("no SQL statement given")
    for statement in statements:
        if not _reads(connection, statement):
            kind = statement.type.name.replace("_", " ")
            raise ValueError(f"{kind} is refused: SQL on a lake is read-only (SELECT, EXPLAIN SELECT, SET VARIABLE)")
    try:
        with part_errors(connection), interruptible(connection, seconds):
            return _rows(connection, text, statements[-1].query)
    except duckdb.Error as error:
        raise _as_ours(error, str) from error


def fetch(connection: duckdb.DuckDBPyConnection, text: str) -> pl.DataFrame:
    """Return the rows of SQL that is known to be read-only.

    Args:
        connection: A connection of `skewbench.sql.connect`.
        text: One or more statements; the rows are those of the last one.

    Raises:
        LakeError: A part that a manifest names is missing or broken.
        RunError: There is too little memory.
        ValueError: Any other error of DuckDB, with its message.
        KeyboardInterrupt: The user interrupted the statement.
    """
    try:
        with part_errors(connection), interruptible(connection):
            result = connection.execute(text)
            return result.pl() if result.description else pl.DataFrame()
    except duckdb.Error as error:
        raise _as_ours(error, _in_one_line) from error


def _in_one_line(error: duckdb.Error) -> str:
    return " ".join(str(error).split())


def _as_ours(error: duckdb.Error, text: Callable[[duckdb.Error], str]) -> Exception:
    """The error to raise. The text of SQL that a user typed keeps its lines, one of which has a caret."""
    if isinstance(error, duckdb.OutOfMemoryException):
        first = str(error).splitlines()[0]
        return RunError(f"too little memory for this query ({first}); {more_memory()}, or query fewer runs")
    return ValueError(text(error).removeprefix("Invalid Input Error: "))


def _rows(connection: duckdb.DuckDBPyConnection, text: str, last: str) -> pl.DataFrame:
    result = connection.execute(text)
    if not result.description:
        return pl.DataFrame()
    types = [kind for _, kind, *_ in result.description]
    odd = {at for at, kind in enumerate(types) if not _is_shown(kind)}
    found = None if odd else _read(result)
    if found is not None:
        odd = {at for at, column in enumerate(found.iter_columns()) if _is_beyond_python(column)}
    if odd:
        found = _read(connection.execute(_with_texts(last, [name for name, *_ in result.description or ()], odd)))
    return found if found is not None else pl.DataFrame()


def _read(result: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Rows as they come. Raises `ValueError` for too many."""
    batches, size = [], 0
    try:
        reader = result.to_arrow_reader(_BATCH)
        for batch in reader:
            batches.append(batch)
            size += batch.nbytes
            if size > LARGEST_ANSWER:
                raise ValueError(
                    f"the answer is larger than {LARGEST_ANSWER // 2**20} MiB; add LIMIT, or aggregate its rows"
                )
    except OSError as error:  # as Arrow passes DuckDB's on
        raise _as_duckdbs(str(error)) from error
    table = pa.Table.from_batches(batches, reader.schema)
    frame = pl.from_arrow(table.rename_columns(_distinct(table.column_names)))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101  (of a table)
    return frame


def _distinct(names: list[str]) -> list[str]:
    """Number the repetitions of a name."""
    found: dict[str, None] = {}
    for name in names:
        candidates = (f"{name}_{number}" if number else name for number in count())
        found[next(one for one in candidates if one not in found)] = None
    return list(found)


def _as_duckdbs(message: str) -> duckdb.Error:
    """The error of DuckDB that Arrow passed on as text."""
    kind = message.partition(" Error: ")[0]
    known: dict[str, type[duckdb.Error]] = {
        "IO": duckdb.IOException,
        "Out of Memory": duckdb.OutOfMemoryException,
        "Invalid Input": duckdb.InvalidInputException,
        "INTERRUPT": duckdb.InterruptException,
    }
    if " Error: " not in message:  # the Parquet reader raises DuckDB's base class
        return duckdb.Error(message)
    return known.get(kind, duckdb.ProgrammingError)(message)


def _is_shown(kind: DuckDBPyType, nested: bool = False) -> bool:
    """Whether Polars has a type, and Python its values."""
    if kind.id in ("list", "array", "map"):
        return all(_is_shown(child, True) for _, child in kind.children if isinstance(child, DuckDBPyType))
    if kind.id == "struct":
        return all(name and isinstance(child, DuckDBPyType) and _is_shown(child, True) for name, child in kind.children)
    return kind.id in _PLAIN or (not nested and kind.id in _TIMES | _TIMES_WITH_ZONE)


def _is_beyond_python(column: pl.Series) -> bool:
    """Whether a column has dates that Python cannot show, such as infinity."""
    if not isinstance(column.dtype, pl.Date | pl.Datetime):
        return False
    units = {"ms": 10**3, "us": 10**6, "ns": 10**9}
    a_day = _DAY * units[column.dtype.time_unit] if isinstance(column.dtype, pl.Datetime) else 1
    ends = (column.to_physical().min(), column.to_physical().max())
    first, last = _YEARS_1_TO_9999
    return any(isinstance(end, int) and not first < end / a_day < last for end in ends)


def _with_texts(statement: str, names: list[str], as_text: set[int]) -> str:
    """A statement whose columns at some places are texts."""
    columns = [f"c{at}" for at in range(len(names))]
    shown = [f"CAST({column} AS VARCHAR)" if at in as_text else column for at, column in enumerate(columns)]
    named = ", ".join(
        f'{column} AS "{name.replace(chr(34), chr(34) * 2)}"' for column, name in zip(shown, names, strict=True)
    )
    inner = re.sub(r"[;\s]+(--[^\n]*\s*)*$", "", statement)
    return f"SELECT {named} FROM (\n{inner}\n) AS rows({', '.join(columns)})"  # noqa: S608  (the user's own statement)


def _reads(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> bool:
    if statement.type == StatementType.EXPLAIN:  # EXPLAIN ANALYZE runs what it explains
        explained = re.sub(r"^\s*explain(\s+analyze|\s*\([^)]*\))?", "", statement.query, flags=re.IGNORECASE)
        try:
            inner = connection.extract_statements(explained)
        except duckdb.Error:
            return False
        return all(one.type == StatementType.SELECT for one in inner)
    if statement.type == StatementType.CREATE:  # a PIVOT begins with a type of its own; such a part has no text
        return not statement.query.strip()
    return statement.type in (StatementType.SELECT, StatementType.SET)
