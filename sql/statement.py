"""Runs SQL that a user typed: it can read the lake but not change it."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl
from duckdb import StatementType

from skewbench.sql.answer import frame, is_beyond_calendar, is_foreign
from skewbench.sql.manifests import part_error


def select(connection: duckdb.DuckDBPyConnection, text: str, time_limit: float = 0.0) -> pl.DataFrame:
    """Run read-only SQL and return the rows of the last statement.

    The locks of `skewbench.sql.connect` keep a query inside the lake; this also refuses statements that could write
    into it.

    Args:
        connection: A connection of `skewbench.sql.connect`.
        text: One or more statements. Allowed are SELECT (also WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, PIVOT),
            EXPLAIN of these, and SET VARIABLE.
        time_limit: Seconds after which it is stopped; 0: never.

    Raises:
        LakeError: A part that a manifest names is missing or broken.
        ValueError: No statement, a statement that is not allowed, or SQL that DuckDB refuses, with DuckDB's message; an
            answer that takes too long or is too large.
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
    with _stopped_after(connection, time_limit):
        return fetch(connection, text)


def fetch(connection: duckdb.DuckDBPyConnection, text: str) -> pl.DataFrame:
    """Return the rows of SQL that is known to be read-only. Values that Polars or Python do not have become text.

    Raises:
        LakeError: A part that a manifest names is missing or broken.
        ValueError: Any other error of DuckDB, with its message.
    """
    try:
        columns = connection.execute(text).description
        if not columns:
            return pl.DataFrame()
        as_text = {number for number, (_, kind, *_) in enumerate(columns) if is_foreign(str(kind))}
        if as_text:
            connection.execute(_with_texts(connection, text, [name for name, *_ in columns], as_text))
        rows = frame(connection)
        if beyond := {number for number, name in enumerate(rows.columns) if is_beyond_calendar(rows[name])}:
            connection.execute(_with_texts(connection, text, [name for name, *_ in columns], as_text | beyond))
            rows = frame(connection)
        return rows
    except duckdb.Error as error:
        if failure := part_error(error):
            raise failure from error
        raise ValueError(str(error).removeprefix("Invalid Input Error: ")) from error


@contextmanager
def _stopped_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt the connection's statement after so many seconds in the block. Raises `ValueError` then."""
    late = threading.Event()

    def interrupt() -> None:
        late.set()
        connection.interrupt()

    timer = threading.Timer(seconds, interrupt)
    if seconds:
        timer.start()
    try:
        yield
    except ValueError as error:
        if late.is_set():
            raise ValueError(f"the statement was stopped after {seconds:g} s") from error
        raise
    finally:
        timer.cancel()


def _with_texts(connection: duckdb.DuckDBPyConnection, text: str, names: list[str], as_text: set[int]) -> str:
    """The last statement of a text, with some of its columns as text. Columns may have equal names."""
    last = connection.extract_statements(text)[-1].query.rstrip().rstrip(";")
    chosen = [
        f'c{number}{"::VARCHAR" if number in as_text else ""} AS "{name.replace(chr(34), 2 * chr(34))}"'
        for number, name in enumerate(names)
    ]
    aliases = ", ".join(f"c{number}" for number in range(len(names)))
    return f"SELECT {', '.join(chosen)} FROM (\n{last}\n) AS answer({aliases})"  # noqa: S608 the user's own


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
