"""Draws of the change in each regime, by each measure, over resamples of whole prompts."""

from collections.abc import Iterator

import duckdb
import polars as pl

from skewbench.eval.statistics import mean_draws
from skewbench.sql.resampling import Draws, Resamples, as_matrix, query_run, select_rows, split, variable, widen
from skewbench.vocabulary.measures import REGIME_MEASURES


def intervals(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    """Yield the draws of the change in each regime, split by each measure.

    Args:
        connection: A connection to the lake's views.
        run_id: The run.
        drawn: Resamples of the run's prompts.
    """
    for measure in REGIME_MEASURES:
        with variable(connection, "measure", measure):
            yield from _regimes_by(connection, run_id, drawn)


def _regimes_by(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    answers = query_run(connection, "regimes", run_id).filter(pl.col("change").is_not_null())
    for cell, of_cell in split(answers, "cell"):  # cell by cell, so that more cells need no more memory
        changes = select_rows(
            connection,
            """
            SELECT kind, prompt_id, unit, metric || ' ' || regime AS key, change AS value
            FROM unit_changes JOIN baseline_regimes USING (run_id, kind, unit)
            WHERE run_id = $1 AND cell = $2 AND change IS NOT NULL AND regime IS NOT NULL
            """,
            run_id,
            cell,
        )
        for kind, some in split(of_cell, "kind"):
            wide = widen(changes.filter(kind=kind), "key")
            keys = [name for name in wide.columns if name not in ("prompt_id", "unit")]
            drawn_means = mean_draws(as_matrix(wide, keys), drawn.clusters(wide), drawn.counts)
            draws = dict(zip(keys, drawn_means.T, strict=True))
            for row in some.iter_rows(named=True):
                metric, regime = row["metric"], row["regime"]
                if regime == "difference":
                    yield Draws("change", row, row["change"], draws[f"{metric} unstable"] - draws[f"{metric} stable"])
                else:
                    yield Draws("change", row, row["change"], draws[f"{metric} {regime}"])
