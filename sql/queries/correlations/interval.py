"""Draws of each correlation, and of its differences between stages, over resamples of whole prompts."""

from collections.abc import Iterator
from itertools import combinations

import duckdb
import polars as pl

from skewbench.eval.statistics import spearman_draws
from skewbench.sql.resampling import (
    Draws,
    Resamples,
    Row,
    Values,
    as_matrix,
    metric_values_of,
    query_run,
    select_rows,
    split,
    widen,
)


def intervals(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    """Yield the draws of each correlation (`rho`) and of each later stage minus an earlier one (`difference`).

    Args:
        connection: A connection to the lake's views.
        run_id: The run.
        drawn: Resamples of the run's prompts.
    """
    answers = query_run(connection, "correlations", run_id, cell="*")
    for cell, of_cell in split(answers, "cell"):  # cell by cell, so that more cells need no more memory
        stability = _stability(connection, run_id, cell)
        by_prompt = stability.group_by("prompt_id", pl.col("prompt_id").alias("unit"), "key").agg(
            pl.col("value").mean()
        )
        for kind, measures in (("sample", stability), ("prompt", by_prompt)):
            some = of_cell.filter(kind=kind)
            if some.is_empty():  # the run has no metric of this kind
                continue
            keys = sorted(some.select(pl.concat_str("stage", "measure", separator=" ")).to_series().unique())
            metrics = sorted(some["metric"].unique())
            values = widen(metric_values_of(connection, run_id, kind, cell), "metric")
            joined = widen(measures, "key").join(values, on=["prompt_id", "unit"], how="inner")
            draws = spearman_draws(
                as_matrix(joined, keys), as_matrix(joined, metrics), drawn.clusters(joined), drawn.counts
            )
            for row in some.iter_rows(named=True):
                draw = draws[:, keys.index(f"{row['stage']} {row['measure']}"), metrics.index(row["metric"])]
                yield Draws("rho", row, row["rho"], draw)
            for (_, _), stages in some.group_by(["metric", "measure"], maintain_order=True):
                for one, other in combinations(stages.filter(pl.col("stage") != "all").to_dicts(), 2):
                    metric = metrics.index(one["metric"])
                    first, second = (keys.index(f"{row['stage']} {row['measure']}") for row in (one, other))
                    yield _difference(one, other, draws[:, second, metric] - draws[:, first, metric])


def _stability(connection: duckdb.DuckDBPyConnection, run_id: str, cell: str) -> pl.DataFrame:
    """Read the finite measures of a cell's samples by stage: prompt_id, unit, key (stage and measure) and value."""
    text = """
        SELECT prompt_id, sample_id AS unit, stage || ' ' || measure AS key, value
        FROM long_measures('stage_stability')
        SEMI JOIN (SELECT sample_id FROM samples WHERE status = 'ok') USING (sample_id)
        WHERE run_id = $1 AND cell = $2 AND isfinite(value)
    """
    return select_rows(connection, text, run_id, cell)


def _difference(one: Row, other: Row, draws: Values) -> Draws:
    """The later stage's correlation minus the earlier one's, with its sign."""
    known = one["rho"] is not None and other["rho"] is not None
    row = one | {"stage": f"{other['stage']} - {one['stage']}", "n": min(one["n"], other["n"])}
    return Draws("difference", row, other["rho"] - one["rho"] if known else None, draws)
