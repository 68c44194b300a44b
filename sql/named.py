"""Answers a named query over the runs of a connection."""

import duckdb
import polars as pl

from skewbench.sql.connection import literal
from skewbench.sql.parameters import Value, checked
from skewbench.sql.registry import find
from skewbench.sql.statement import fetch


def query(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Value) -> pl.DataFrame:
    """The answer of a named query over the runs of the connection (`skewbench.sql.connect`).

    Args:
        connection: Shows the runs.
        name: The query's.
        parameters: Those that the query declares, such as `cell="a1.05-b3"`, `branch="cond"`; a number may be text.

    Returns:
        The columns that the query declares.

    Raises:
        ValueError: An unknown query, an unknown parameter, a value that its kind or the query refuses.
    """
    named = find(name)
    given = checked(connection, named, parameters)
    before = {parameter: _variable(connection, parameter) for parameter in given}
    try:
        for parameter, value in given.items():
            connection.execute(f"SET VARIABLE {parameter} = {literal(value)}")
        answer = fetch(connection, named.text)
    finally:
        for parameter, value in before.items():
            connection.execute(f"SET VARIABLE {parameter} = {literal(value)}")
    if answer.columns != (columns := [column.name for column in named.columns]):
        raise ValueError(
            f"query {name!r} of {named.package} breaks its contract: its answer has the columns "
            f"{', '.join(answer.columns)}; it declares {', '.join(columns)}"
        )
    return answer


def _variable(connection: duckdb.DuckDBPyConnection, name: str) -> Value:
    row = connection.execute(f"SELECT getvariable({literal(name)})").fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    value: Value = row[0]
    return value
