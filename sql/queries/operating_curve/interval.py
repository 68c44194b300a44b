"""Draws of each mean over resamples of whole prompts."""

from collections.abc import Iterator

import duckdb
import polars as pl

from skewbench.eval.statistics import mean_draws
from skewbench.sql.resampling import Draws, Resamples, as_matrix, metric_values_of, query_run, split, widen


def intervals(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    """Yield the draws of the mean of each metric by cell.

    Args:
        connection: A connection to the lake's views.
        run_id: The run.
        drawn: Resamples of the run's prompts.
    """
    answers = query_run(connection, "operating_curve", run_id).filter(pl.col("n") > 0)
    for kind in ("sample", "prompt"):
        values = metric_values_of(connection, run_id, kind)
        for cell, some in split(answers.filter(kind=kind), "cell"):
            wide = widen(values.filter(cell=cell), "metric")
            metrics = list(some["metric"])
            draws = mean_draws(as_matrix(wide, metrics), drawn.clusters(wide), drawn.counts)
            for row, draw in zip(some.iter_rows(named=True), draws.T, strict=True):
                yield Draws("mean", row, row["mean"], draw)
