"""Shared by the intervals of queries: resamples of a run's prompts, and rows of the lake as matrices."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from skewbench.sql.literals import literal
from skewbench.sql.named import query
from skewbench.sql.parameters import Value

Values = npt.NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Resamples:
    """Bootstrap resamples of the prompts of a run.

    Args:
        prompts: Column of `counts` by prompt id.
        counts: How often each prompt is drawn in each resample; shape (resamples, prompts).
    """

    prompts: dict[str, int]
    counts: npt.NDArray[np.int32]

    def clusters(self, wide: pl.DataFrame) -> npt.NDArray[np.integer]:
        """Return the column of `counts` of each row's prompt.

        Args:
            wide: Rows with a column `prompt_id`.

        Returns:
            Indices of shape (rows).
        """
        return np.array([self.prompts[prompt] for prompt in wide["prompt_id"]], dtype=np.intp)


@dataclass(frozen=True)
class Draws:
    """The bootstrap draws of one value of an answer, from which its interval is computed.

    Args:
        statistic: Name of the value, as `intervals.statistic` in the query's SQL.
        row: The row of the answer. `n` and those of the columns `cell`, `metric`, `stage`, `measure` and `regime` that
            it has are the key of the interval.
        value: The value.
        draws: The value in each resample, NaN if it is undefined; shape (resamples).
        any_branch: True if the value does not depend on the guidance branch of the session. Always true of a query
            without a parameter of the kind `branch`.
    """

    statistic: str
    row: Row
    value: float | None
    draws: Values
    any_branch: bool = False


def query_run(connection: duckdb.DuckDBPyConnection, name: str, run_id: str, **parameters: Value) -> pl.DataFrame:
    """Answer a named query and keep the rows of one run.

    Args:
        connection: A connection to the run.
        name: Name of the query.
        run_id: The run.
        parameters: Parameters of the query.
    """
    return query(connection, name, **parameters).filter(run_id=run_id)


def select_rows(connection: duckdb.DuckDBPyConnection, text: str, run_id: str, *more: str) -> pl.DataFrame:
    """Run SQL with the run's id as `$1`.

    Args:
        connection: A connection to the run.
        text: One SELECT.
        run_id: The run.
        *more: Values of `$2` and so on.
    """
    return connection.execute(text, [run_id, *more]).pl()


@contextmanager
def variable(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> Iterator[None]:
    """Set a session variable of the views within the block.

    Args:
        connection: The connection.
        name: Name of the variable.
        value: Its value within the block; afterwards it has the previous value.
    """
    before = connection.execute(f"SELECT getvariable({literal(name)})").fetchall()[0][0]
    connection.execute(f"SET VARIABLE {name} = {literal(value)}")
    try:
        yield
    finally:
        connection.execute(f"SET VARIABLE {name} = {literal(before)}")


def split(frame: pl.DataFrame, column: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each value of a column with its rows, in order of first appearance.

    Args:
        frame: Any rows.
        column: A column of text.
    """
    for (name,), some in frame.group_by([column], maintain_order=True):
        yield str(name), some


def widen(long: pl.DataFrame, on: str, values: str = "value") -> pl.DataFrame:
    """Pivot to one row per unit and one column per value of `on`, sorted by unit.

    Args:
        long: Rows with the columns `prompt_id`, `unit`, `on` and `values`, at most one per unit and value of `on`.
        on: Column whose values become columns.
        values: Column of the values.
    """
    return long.pivot(on=on, index=["prompt_id", "unit"], values=values).sort("unit")


def as_matrix(frame: pl.DataFrame, columns: list[str]) -> Values:
    """Return columns as a matrix, with NaN for missing values.

    Args:
        frame: One row per unit.
        columns: Names of numeric columns.

    Returns:
        Matrix of shape (units, columns).
    """
    return frame.select(pl.col(columns).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def metric_values_of(
    connection: duckdb.DuckDBPyConnection, run_id: str, kind: str, cell: str | None = None
) -> pl.DataFrame:
    """Read the finite values of all metrics of a kind.

    Args:
        connection: A connection to the run.
        run_id: The run.
        kind: `sample`, whose unit is a sample_id, or `prompt`, whose unit is a prompt_id.
        cell: The cell; None: all cells.

    Returns:
        A frame with the columns cell, prompt_id, unit, metric and value.
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
    if cell is None:
        return select_rows(connection, text, run_id)
    return select_rows(connection, f"{text} AND cell = $2", run_id, cell)
