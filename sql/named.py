"""Answers a named query over the runs of a connection."""

import duckdb
import polars as pl

from skewbench.sql.literals import literal
from skewbench.sql.parameters import Value, checked
from skewbench.sql.registry import find
from skewbench.sql.statement import fetch


def query(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Value) -> pl.DataFrame:
    """Answer a named query over the runs of a connection.

    Args:
        connection: A connection of `skewbench.sql.connect`.
        name: Name of the query.
        parameters: Parameters that the query declares, such as `cell="a1.05-b3"` or `branch="cond"`; numbers may be
            text.

    Returns:
        A frame with the columns that the query declares.

    Raises:
        ValueError: An unknown query or parameter, or a value that its kind or the query refuses.
        LakeError: A part that a manifest names is missing or broken.
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
