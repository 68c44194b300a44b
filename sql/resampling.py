"""What the intervals of queries share: resamples of a run's prompts, and rows of the lake as matrices."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from skewbench.sql.connection import literal
from skewbench.sql.named import query
from skewbench.sql.parameters import Value

Values = npt.NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Resamples:
    """The prompts of the run, and how often each is drawn in each resample."""

    prompts: dict[str, int]
    counts: npt.NDArray[np.int32]

    def clusters(self, wide: pl.DataFrame) -> npt.NDArray[np.integer]:
        """The prompt of each row, as its column of `counts`."""
        return np.array([self.prompts[prompt] for prompt in wide["prompt_id"]], dtype=np.intp)


@dataclass(frozen=True)
class Draws:
    """The draws of one value of an answer, from which its interval is made.

    Args:
        statistic: Which value it is, as `intervals.statistic` in the query's SQL.
        row: The row of the answer: its columns `cell`, `metric`, `stage`, `measure` and `regime`, as far as it has
            them, are the key of the interval, beside `n`.
        value: The value.
        draws: The value in each resample, NaN where it has none; shape (resamples).
        any_branch: Whether the value does not depend on the branch of guidance whose measures the session reads. It
            never does for a query without a parameter of the kind `branch`.
    """

    statistic: str
    row: Row
    value: float | None
    draws: Values
    any_branch: bool = False


def query_run(connection: duckdb.DuckDBPyConnection, name: str, run_id: str, **parameters: Value) -> pl.DataFrame:
    """The rows of a named query that belong to one run."""
    return query(connection, name, **parameters).filter(run_id=run_id)


def select_rows(connection: duckdb.DuckDBPyConnection, text: str, run_id: str) -> pl.DataFrame:
    """Rows of SQL with the run's id as `$1`."""
    return connection.execute(text, [run_id]).pl()


@contextmanager
def variable(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> Iterator[None]:
    """A session variable of the views, put back afterwards."""
    before = connection.execute(f"SELECT getvariable({literal(name)})").fetchall()[0][0]
    connection.execute(f"SET VARIABLE {name} = {literal(value)}")
    try:
        yield
    finally:
        connection.execute(f"SET VARIABLE {name} = {literal(before)}")


def split(frame: pl.DataFrame, column: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The frame's parts by a column, in its order."""
    for (name,), some in frame.group_by([column], maintain_order=True):
        yield str(name), some


def widen(long: pl.DataFrame, on: str, values: str = "value") -> pl.DataFrame:
    """A row a unit, a column each value of `on`."""
    return long.pivot(on=on, index=["prompt_id", "unit"], values=values).sort("unit")


def as_matrix(frame: pl.DataFrame, columns: list[str]) -> Values:
    """(units, columns); NaN where there is no value."""
    return frame.select(pl.col(columns).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def metric_values_of(connection: duckdb.DuckDBPyConnection, run_id: str, kind: str) -> pl.DataFrame:
    """The finite values of the metrics of a kind: cell, prompt_id, unit, metric, value.

    Args:
        connection: Shows the run.
        run_id: The run.
        kind: `sample`, whose unit is a sample_id, or `prompt`, whose unit is a prompt_id.
    """
    if kind == "sample":
        text = """
            SELECT cell, prompt_id, sample_id AS unit, metric, value FROM metric_values
            WHERE run_id = $1 AND status = 'ok' AND isfinite(value)
        """
    else:
        text = """
            SELECT cell, prompt_id, prompt_id AS unit, metric, value FROM prompt_metric_values
            WHERE run_id = $1 AND isfinite(value)
        """
    return select_rows(connection, text, run_id)
