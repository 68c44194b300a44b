"""Intervals of paired changes, of the adaptive rule against the static one, and of dominated areas."""

from collections.abc import Iterator

import duckdb
import numpy as np
import polars as pl

from skewbench.eval.statistics import dominated_area, mean_draws, median_draws
from skewbench.tasks.analyse.frames import (
    Resamples,
    Row,
    Values,
    answer,
    as_matrix,
    query_run,
    select_rows,
    split,
    widen,
)

_FAMILIES = ("static", "temperature")
"""Compared with each other: the knob, and the paper's own control."""


def static_effect(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    """Mean and median of the paired change, by cell and metric."""
    answers = query_run(connection, "static_effect", run_id).filter(pl.col("n") > 0)
    changes = select_rows(
        connection,
        "SELECT cell, kind, prompt_id, unit, metric, change FROM unit_changes WHERE run_id = $1 AND change IS NOT NULL",
        run_id,
    )
    for (cell, kind), some in answers.group_by(["cell", "kind"], maintain_order=True):
        wide = widen(changes.filter(cell=cell, kind=kind), "metric", "change")
        metrics = some["metric"].to_list()
        values, clusters = as_matrix(wide, metrics), drawn.clusters(wide)
        means, medians = (draws(values, clusters, drawn.counts) for draws in (mean_draws, median_draws))
        for column, row in enumerate(some.to_dicts()):
            yield answer("static_effect", "change", row, means[:, column])
            yield answer("static_effect", "median_change", row, medians[:, column])


def adaptive_vs_static(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    """Adaptive less static; the static cell is the row's `regime`."""
    answers = query_run(connection, "adaptive_vs_static", run_id)
    pairs = select_rows(
        connection,
        "SELECT cell, static_cell, kind, prompt_id, unit, metric, change FROM rule_pairs WHERE run_id = $1",
        run_id,
    )
    for (cell, static, kind), some in answers.group_by(["cell", "static_cell", "kind"], maintain_order=True):
        wide = widen(pairs.filter(cell=cell, static_cell=static, kind=kind), "metric", "change")
        draws = mean_draws(as_matrix(wide, some["metric"].to_list()), drawn.clusters(wide), drawn.counts)
        for column, row in enumerate(some.to_dicts()):
            yield answer("adaptive_vs_static", "change", row | {"regime": static}, draws[:, column])


def pareto_front(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    """The area that each family dominates (`regime`: the family), and static less temperature where there are both."""
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
    areas = {}
    for family, some in split(points.filter(pl.col("family") != "baseline"), "family"):
        members = (points["family"] == family).to_numpy() | baseline
        areas[family] = dominated_area(drawn_means, members, np.array(sizes))
        row = some.row(0, named=True)
        yield _share(row, family, row["family_area"], areas[family])
    if set(_FAMILIES) <= set(areas):
        one, other = (points.filter(family=name).row(0, named=True) for name in _FAMILIES)
        if one["family_area"] is not None:
            difference = one["family_area"] - other["family_area"]
            yield _share(one, " - ".join(_FAMILIES), difference, areas[_FAMILIES[0]] - areas[_FAMILIES[1]])


def _share(row: Row, family: str, area: float | None, draws: Values) -> Row:
    """An older build's statistic is `area`: resamples had the run's box, went beyond 1, and are read no more."""
    key = {"metric": row["fidelity"], "measure": row["diversity"], "regime": family}
    return answer("pareto_front", "share", key | {"share": area, "n": row["diversity_n"]}, draws)


def _values(connection: duckdb.DuckDBPyConnection, run_id: str, metric: Row) -> pl.DataFrame:
    return select_rows(
        connection, "SELECT cell, metric, kind, prompt_id, unit, value FROM unit_values WHERE run_id = $1", run_id
    ).filter(metric=metric["metric"], kind=metric["kind"])


def _cell_means(values: pl.DataFrame, drawn: Resamples, cells: list[str]) -> Values:
    """(resamples, cells) means of a metric."""
    wide = widen(values, "cell")
    return mean_draws(as_matrix(wide, cells), drawn.clusters(wide), drawn.counts)
