"""Checks the values of a query's parameters by their declared kinds."""

import math
from collections.abc import Callable, Mapping

import duckdb

from skewbench.sql.connection import BRANCHES
from skewbench.sql.declaration import Kind, Parameter, Query
from skewbench.vocabulary.verdicts import VERDICTS

Value = str | float | bool | None
"""The value of a parameter; None means its default."""


def checked(connection: duckdb.DuckDBPyConnection, query: Query, given: Mapping[str, Value]) -> dict[str, Value]:
    """Check the values of a query's parameters by their kinds.

    Args:
        connection: A connection to the runs; values must name their cells and metrics.
        query: The query that declares the parameters.
        given: Values by name; numbers may be text.

    Returns:
        The values by name, numbers as `float`.

    Raises:
        ValueError: A parameter that the query does not declare, or a value that is not of its kind.
    """
    values: dict[str, Value] = {}
    for name, value in given.items():
        if (parameter := query.parameter(name)) is None:
            allowed = ", ".join(one.name for one in query.parameters) or "none"
            raise ValueError(f"query {query.name!r} has no parameter {name!r}; its parameters: {allowed}")
        values[name] = None if value is None else _CHECKS[parameter.kind](connection, parameter, value)
    return values


def _number(_: duckdb.DuckDBPyConnection, parameter: Parameter, value: Value) -> Value:
    try:
        number = float(value or 0.0)
    except ValueError:
        number = math.nan
    if value == "" or not math.isfinite(number):
        raise ValueError(f"{parameter.name} {value!r}: not a number; use a number such as 0.1")
    return number


def _text(_: duckdb.DuckDBPyConnection, __: Parameter, value: Value) -> Value:
    return value


def cells_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """List the cells of a connection's runs, in order.

    Args:
        connection: A connection to the runs.
    """
    return _column(connection, "SELECT DISTINCT cell FROM cells ORDER BY cell")


def _cell(connection: duckdb.DuckDBPyConnection, _: Parameter, value: Value) -> Value:
    cells = cells_of(connection)
    if value not in ("*", *cells):
        raise ValueError(f"no cell {value!r}; there are: {', '.join(cells)}, and '*' for each")
    return value


def _branch(_: duckdb.DuckDBPyConnection, parameter: Parameter, value: Value) -> Value:
    if value not in BRANCHES:
        raise ValueError(
            f"{parameter.name} {value!r}: one of {', '.join(BRANCHES)}, or none for the mean of cond and uncond"
        )
    return value


def _verdict(_: duckdb.DuckDBPyConnection, parameter: Parameter, value: Value) -> Value:
    if value not in VERDICTS:
        raise ValueError(f"{parameter.name} {value!r}: one of {', '.join(VERDICTS)}")
    return value


def _run(connection: duckdb.DuckDBPyConnection, parameter: Parameter, value: Value) -> Value:
    runs = _column(connection, "SELECT run_id FROM runs ORDER BY created")
    if value not in runs:
        raise ValueError(f"{parameter.name} {value!r}: no such run; there are: {', '.join(runs)}")
    return value


def _metric(connection: duckdb.DuckDBPyConnection, parameter: Parameter, value: Value) -> Value:
    """A metric without values that the run gives a reason for is known: its rows are merely none."""
    which = parameter.metrics
    assert which is not None  # noqa: S101  (checked at registration)
    there = _column(
        connection,
        f"SELECT DISTINCT metric FROM metrics WHERE {which.condition} ORDER BY metric",  # noqa: S608  (declared)
    )
    if value not in (*there, *_column(connection, "SELECT DISTINCT metric FROM missing_metrics")):
        allowed = ", ".join(there) or "none that has a value"
        raise ValueError(f"{parameter.name} {value!r}: no metric {which.words}; there are: {allowed}")
    return value


def _column(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    return [value for (value,) in connection.execute(text).fetchall()]


_CHECKS: dict[Kind, Callable[[duckdb.DuckDBPyConnection, Parameter, Value], Value]] = {
    "number": _number,
    "text": _text,
    "cell": _cell,
    "branch": _branch,
    "verdict": _verdict,
    "run": _run,
    "metric": _metric,
}
