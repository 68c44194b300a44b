"""Runs SQL that a user typed: it can read the lake but not change it."""

import re

import duckdb
import polars as pl
from duckdb import StatementType

from skewbench.sql.manifests import part_error


def select(connection: duckdb.DuckDBPyConnection, text: str) -> pl.DataFrame:
    """Run read-only SQL and return the rows of the last statement.

    The locks of `skewbench.sql.connect` keep a query inside the lake; this also refuses statements that could write
    into it.

    Args:
        connection: A connection of `skewbench.sql.connect`.
        text: One or more statements. Allowed are SELECT (also WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, PIVOT),
            EXPLAIN of these, and SET VARIABLE.

    Raises:
        LakeError: A part that a manifest names is missing or broken.
        ValueError: No statement, a statement that is not allowed, or SQL that DuckDB refuses, with DuckDB's message.
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
    return fetch(connection, text)


def fetch(connection: duckdb.DuckDBPyConnection, text: str) -> pl.DataFrame:
    """Return the rows of SQL that is known to be read-only.

    Args:
        connection: A connection of `skewbench.sql.connect`.
        text: One or more statements; the rows are those of the last one.

    Raises:
        LakeError: A part that a manifest names is missing or broken.
        ValueError: Any other error of DuckDB, with its message.
    """
    try:
        result = connection.execute(text)
        return result.pl() if result.description else pl.DataFrame()
    except duckdb.Error as error:
        if failure := part_error(error):
            raise failure from error
        raise ValueError(str(error).removeprefix("Invalid Input Error: ")) from error


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
