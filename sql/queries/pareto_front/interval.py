"""Bootstrap draws of the area that each family adds to the baseline's. Each resample of prompts has its own box."""

from collections.abc import Iterator

import duckdb
import numpy as np
import polars as pl

from skewbench.eval.statistics import dominated_area, mean_draws
from skewbench.sql.resampling import Draws, Resamples, Row, Values, as_matrix, query_run, select_rows, split, widen

_FAMILIES = ("static", "temperature")
"""The families whose areas are compared: the static knob, and temperature, with which the paper compares it."""


def intervals(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    """Yield the draws of the area that each family adds (`regime`: the family).

    If a run has both families, the draws of static minus temperature follow.

    Args:
        connection: A connection to the lake's views.
        run_id: The run.
        drawn: Resamples of the run's prompts.
    """
    points = query_run(connection, "pareto_front", run_id)
    roles = select_rows(
        connection, "SELECT role, metric, kind, higher_is_better FROM main_metrics WHERE run_id = $1", run_id
    )
    if points.is_empty() or "cell" in roles["kind"]:  # a metric of the whole cell has no spread over prompts
        return
    draws, sizes = [], []
    for role in ("diversity", "fidelity"):
        metric = roles.row(by_predicate=pl.col("role") == role, named=True)
        values = _values(connection, run_id, metric)
        way = 1.0 if metric["higher_is_better"] else -1.0
        draws.append(way * _cell_means(values, drawn, points["cell"].to_list()))
        sizes.append(values.group_by("cell").agg(pl.col("value").abs().mean())["value"].to_numpy().max())
    drawn_means = np.stack(draws, axis=-1)
    baseline = (points["family"] == "baseline").to_numpy()
    alone = dominated_area(drawn_means, baseline, np.array(sizes)) if baseline.any() else 0.0
    areas = {}
    for family, some in split(points.filter(pl.col("family") != "baseline"), "family"):
        members = (points["family"] == family).to_numpy() | baseline
        areas[family] = np.maximum(0.0, dominated_area(drawn_means, members, np.array(sizes)) - alone)
        row = some.row(0, named=True)
        yield _share(row, family, row["family_added"], areas[family])
    if set(_FAMILIES) <= set(areas):
        one, other = (points.filter(family=name).row(0, named=True) for name in _FAMILIES)
        if one["family_added"] is not None:
            difference = one["family_added"] - other["family_added"]
            yield _share(one, " - ".join(_FAMILIES), difference, areas[_FAMILIES[0]] - areas[_FAMILIES[1]])


def _share(row: Row, family: str, area: float | None, draws: Values) -> Draws:
    """Make the draws of a family's added area.

    The statistic is not called `area` or `share`: older builds stored areas with the baseline's under these names.
    """
    key = {"metric": row["fidelity"], "measure": row["diversity"], "regime": family}
    return Draws("added", key | {"n": row["diversity_n"]}, area, draws)


def _values(connection: duckdb.DuckDBPyConnection, run_id: str, metric: Row) -> pl.DataFrame:
    rows = """
        SELECT cell, metric, kind, prompt_id, unit, value FROM unit_values
        WHERE run_id = $1 AND metric = $2 AND kind = $3
    """
    return select_rows(connection, rows, run_id, metric["metric"], metric["kind"])


def _cell_means(values: pl.DataFrame, drawn: Resamples, cells: list[str]) -> Values:
    """Compute the mean of a metric by cell in each resample; shape (resamples, cells)."""
    wide = widen(values, "cell")
    return mean_draws(as_matrix(wide, cells), drawn.clusters(wide), drawn.counts)
