"""What the answers share: resamples of a run's prompts, and rows of the lake as matrices."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from skewbench import sql
from skewbench.eval.statistics import interval
from skewbench.sql.connect import literal

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


def answer(query: str, statistic: str, row: Row, draws: Values, value: str | None = None) -> Row:
    """A row of `analysis` from a row of the query and the draws of its value.

    Args:
        value: the query's column, where it is not named as the statistic.
    """
    key = {name: row.get(name) for name in ("cell", "metric", "stage", "measure", "regime")}
    found = row[value or statistic]
    spread = interval(draws)
    finite = found is not None and np.isfinite(spread.low)
    return key | {
        "query": query,
        "statistic": statistic,
        "value": found,
        "low": spread.low if finite else None,
        "high": spread.high if finite else None,
        "n": row["n"],
    }


def query_run(connection: duckdb.DuckDBPyConnection, name: str, run_id: str, **parameters: str | float) -> pl.DataFrame:
    """A named query's rows of one run."""
    return sql.query(connection, name, **parameters).filter(run_id=run_id)


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
