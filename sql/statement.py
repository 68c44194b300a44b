"""SQL that somebody typed: it may read the lake, and change nothing."""

import re

import duckdb
import polars as pl
from duckdb import StatementType

from skewbench.sql.manifests import of_a_part


def select(connection: duckdb.DuckDBPyConnection, text: str) -> pl.DataFrame:
    """Runs SQL that only reads, and returns the last statement's rows.

    Allowed: SELECT (with WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, PIVOT), EXPLAIN of one, and SET VARIABLE.
    The locks of `skewbench.sql.connect` keep a query inside of the lake; this also refuses statements that could write
    into it.

    Raises:
        ValueError: a statement that is not allowed, no statement, or SQL that DuckDB refuses; its message in one line
            for the first kinds, DuckDB's own, with the place, for the last.
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
            raise ValueError(f"{kind} is refused: SQL on a lake only reads (SELECT, EXPLAIN SELECT, SET VARIABLE)")
    return fetch(connection, text)


def fetch(connection: duckdb.DuckDBPyConnection, text: str) -> pl.DataFrame:
    """The rows of SQL that is known to read alone.

    Raises:
        LakeError: a part that a manifest names is gone or broken.
        ValueError: any other refusal of DuckDB, in its words.
    """
    try:
        result = connection.execute(text)
        return result.pl() if result.description else pl.DataFrame()
    except duckdb.Error as error:
        if failure := of_a_part(error):
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
