"""Draws of the mean and median of the paired changes over resamples of whole prompts."""

from collections.abc import Iterator

import duckdb
import polars as pl

from skewbench.eval.statistics import mean_draws, median_draws
from skewbench.sql.resampling import Draws, Resamples, as_matrix, query_run, select_rows, split, widen


def intervals(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    """Yield the draws of the mean and median of the paired change, by cell and metric.

    Args:
        connection: A connection to the lake's views.
        run_id: The run.
        drawn: Resamples of the run's prompts.
    """
    answers = query_run(connection, "static_effect", run_id).filter(pl.col("n") > 0)
    for cell, of_cell in split(answers, "cell"):  # cell by cell, so that more cells need no more memory
        changes = select_rows(
            connection,
            "SELECT kind, prompt_id, unit, metric, change FROM unit_changes "
            "WHERE run_id = $1 AND cell = $2 AND change IS NOT NULL",
            run_id,
            cell,
        )
        for kind, some in split(of_cell, "kind"):
            wide = widen(changes.filter(kind=kind), "metric", "change")
            metrics = some["metric"].to_list()
            values, clusters = as_matrix(wide, metrics), drawn.clusters(wide)
            means, medians = (draws(values, clusters, drawn.counts) for draws in (mean_draws, median_draws))
            for column, row in enumerate(some.to_dicts()):
                free = row["metric"] != "alignment"
                yield Draws("change", row, row["change"], means[:, column], any_branch=free)
                yield Draws("median_change", row, row["median_change"], medians[:, column], any_branch=free)
