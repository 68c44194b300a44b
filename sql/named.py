"""The named queries of `sql/queries/`: each a file that says at its top what it answers."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

import duckdb
import polars as pl

from skewbench.sql.connect import BRANCHES, literal
from skewbench.sql.select import fetch

NUMBERS = ("fraction", "quantile", "tolerance")
"""Parameters that are numbers; the others are text."""
VERDICTS = ("worse", "changed", "better", "inconclusive", "not comparable", "same")
"""What a row of the table `regressions` may have for its verdict, what matters first."""
_METRICS = {
    "metric": ("of a picture", "kind = 'sample'"),
    "fidelity": ("of a picture that has a better side", "kind = 'sample' AND higher_is_better IS NOT NULL"),
    "diversity": ("of a set of pictures", "kind <> 'sample'"),
}
"""Parameters that are metrics, with which ones are meant, in words and in SQL."""


@dataclass(frozen=True)
class Query:
    """A named query. `parameters` are session variables with what they mean; left NULL, each has a default."""

    name: str
    description: str  # the first line of the file
    documentation: str  # all of its opening comment: question, columns, source
    parameters: dict[str, str]
    text: str


@cache
def queries() -> list[Query]:
    """Every named query, by name."""
    found = sorted((files("skewbench.sql") / "queries").iterdir(), key=lambda file: file.name)
    return [_parse(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in found]


def query(connection: duckdb.DuckDBPyConnection, name: str, **parameters: str | float | bool | None) -> pl.DataFrame:
    """The answer of the named query over the runs of the connection (`skewbench.sql.connect`).

    Args:
        parameters: those that the query's file names, e.g. `cell="a1.05-b3"`, `branch="cond"`; a number may be text.

    Raises:
        ValueError: an unknown query, an unknown parameter, a value that the query refuses.
    """
    named = find(name)
    for parameter in parameters:
        if parameter not in named.parameters:
            allowed = ", ".join(named.parameters) or "none"
            raise ValueError(f"query {name!r} has no parameter {parameter!r}; its parameters: {allowed}")
    if parameters.get("branch") not in (None, *BRANCHES):
        raise ValueError(f"branch {parameters['branch']!r}: one of {', '.join(BRANCHES)}, or none for the mean of both")
    if parameters.get("verdict") not in (None, *VERDICTS):
        raise ValueError(f"verdict {parameters['verdict']!r}: one of {', '.join(VERDICTS)}")
    _check_cell(connection, parameters.get("cell"))
    _check_runs(connection, parameters)
    _check_metrics(connection, parameters)
    given = {name: _number(name, value) if name in NUMBERS else value for name, value in parameters.items()}
    before = {parameter: _variable(connection, parameter) for parameter in parameters}
    try:
        for parameter, value in given.items():
            connection.execute(f"SET VARIABLE {parameter} = {literal(value)}")
        return fetch(connection, named.text)
    finally:
        for parameter, value in before.items():
            connection.execute(f"SET VARIABLE {parameter} = {literal(value)}")


def find(name: str) -> Query:
    """The query of that name.

    Raises:
        ValueError: there is none; names the nearest and lists all.
    """
    known = {one.name: one for one in queries()}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"no query {name!r}{meant}; there are: {', '.join(known)}")
    return known[name]


def _number(name: str, value: str | float | bool | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} {value!r}: a number is wanted, such as 0.1")
    return number


def _check_cell(connection: duckdb.DuckDBPyConnection, cell: str | float | bool | None) -> None:
    cells = [row[0] for row in connection.execute("SELECT DISTINCT cell FROM cells ORDER BY cell").fetchall()]
    if cell not in (None, "*", *cells):
        raise ValueError(f"no cell {cell!r}; there are: {', '.join(cells)}, and '*' for each")


def _check_runs(connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, str | float | bool | None]) -> None:
    runs = [row[0] for row in connection.execute("SELECT run_id FROM runs ORDER BY created").fetchall()]
    for name in ("run", "against"):
        if parameters.get(name) not in (None, *runs):
            raise ValueError(f"{name} {parameters[name]!r}: no such run; there are: {', '.join(runs)}")


def _check_metrics(connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, str | float | bool | None]) -> None:
    """A metric that has no value, with a reason that the run gives, is known: its rows are merely none."""
    for name in _METRICS.keys() & parameters.keys():
        meant, condition = _METRICS[name]
        there = connection.sql("FROM metrics").filter(condition).select("metric").distinct().order("metric").fetchall()
        missing = connection.execute("SELECT DISTINCT metric FROM missing_metrics").fetchall()
        if parameters[name] not in (None, *(metric for (metric,) in (*there, *missing))):
            allowed = ", ".join(metric for (metric,) in there) or "none that has a value"
            raise ValueError(f"{name} {parameters[name]!r}: no metric {meant}; there are: {allowed}")


def _variable(connection: duckdb.DuckDBPyConnection, name: str) -> str | float | bool | None:
    row = connection.execute(f"SELECT getvariable({literal(name)})").fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    value: str | float | bool | None = row[0]
    return value


def _parse(name: str, text: str) -> Query:
    opening = re.match(r"(?:--.*\n)+", text)
    if opening is None:
        raise ValueError(f"query {name!r} does not open with the comment that says what it answers")
    lines = [line.removeprefix("--").removeprefix(" ") for line in opening[0].splitlines()]
    parameters = {}
    for line in lines:
        if found := re.fullmatch(r"parameter (\w+): (.+)", line):
            parameters[found[1]] = found[2]
    return Query(name, lines[0], "\n".join(lines), parameters, text)
