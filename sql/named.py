"""Answers a named query over the runs of a connection."""

from collections.abc import Mapping

import duckdb
import polars as pl

from skewbench.sql.declaration import Query
from skewbench.sql.literals import literal
from skewbench.sql.parameters import Value, cells_of, checked
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
    answers = [_answer(connection, named, values) for values in _one_by_one(connection, named, given)]
    # a stable sort: the cells of a run stay in their order
    answer = answers[0] if len(answers) == 1 else pl.concat(answers).sort("run_id", maintain_order=True)
    if answer.columns != (columns := [column.name for column in named.columns]):
        raise ValueError(
            f"query {name!r} of {named.package} breaks its contract: its answer has the columns "
            f"{', '.join(answer.columns)}; it declares {', '.join(columns)}"
        )
    return answer


def _one_by_one(
    connection: duckdb.DuckDBPyConnection, named: Query, given: Mapping[str, Value]
) -> list[Mapping[str, Value]]:
    """Return the parameters of each question: one, or one for each cell."""
    for parameter in named.parameters:
        if parameter.one_by_one and given.get(parameter.name) == "*" and (cells := cells_of(connection)):
            return [{**given, parameter.name: cell} for cell in cells]
    return [given]


def _answer(connection: duckdb.DuckDBPyConnection, named: Query, given: Mapping[str, Value]) -> pl.DataFrame:
    before = {parameter: _variable(connection, parameter) for parameter in given}
    try:
        for parameter, value in given.items():
            connection.execute(f"SET VARIABLE {parameter} = {literal(value)}")
        return fetch(connection, named.text)
    finally:
        for parameter, value in before.items():
            connection.execute(f"SET VARIABLE {parameter} = {literal(value)}")


def _variable(connection: duckdb.DuckDBPyConnection, name: str) -> Value:
    row = connection.execute(f"SELECT getvariable({literal(name)})").fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    value: Value = row[0]
    return value
