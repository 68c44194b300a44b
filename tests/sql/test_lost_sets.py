"""Sets of images that a knob lost, and metrics that have no better side, in the queries over paired changes."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from skewbench import sql
from skewbench.storage.tables.analysis import ANALYSIS
from skewbench.tasks.analyse import analyse
from tests.lakes import Lake, make
from tests.tasks.two_runs import alter, with_column

CELL = "a1.20-b5"
DIVERSITY = {"cell": CELL, "metric": "diversity"}


def losing(folder: Path, lost: int) -> tuple[duckdb.DuckDBPyConnection, str]:
    """A lake whose last cell loses all images of the first prompts; the sets that are left are very diverse."""
    run_id = make(folder, Lake(prompts=10, seeds=2, images=False, lost=False, blocks=3, steps=0))

    def is_lost(row: dict[str, Any]) -> bool:
        return row["cell"] == CELL and row["prompt_id"] is not None and row["prompt_id"] < f"p{lost:05d}"

    def status(row: dict[str, Any]) -> str:
        return "blank" if is_lost(row) else "ok"

    def value(row: dict[str, Any]) -> float | None:
        high = row["cell"] == CELL and row["metric"] == "diversity"
        return None if is_lost(row) else 0.9 if high else row["value"]

    alter(folder, run_id, "samples", with_column("status", status))
    alter(folder, run_id, "group_scores", with_column("value", value))
    return sql.connect(folder), run_id


def test_a_lost_set_counts_as_the_worst(tmp_path: Path) -> None:
    connection, _ = losing(tmp_path, 8)
    effect = sql.query(connection, "static_effect").row(by_predicate=_is(DIVERSITY), named=True)
    assert (effect["n"], effect["failed"]) == (2, 8)
    assert effect["change"] > 0.3
    curve = sql.query(connection, "operating_curve")
    mean = curve.filter(cell="baseline", metric="diversity")["mean"].item()
    assert effect["worst_case"] == pytest.approx(curve.filter(**DIVERSITY)["worst_case"].item() - mean)
    ranked = sql.query(connection, "knob_ranking").filter(**DIVERSITY)
    assert (ranked["failed"].item(), ranked["worst_case"].item()) == (8, pytest.approx(effect["worst_case"]))
    regimes = sql.query(connection, "regimes").filter(**DIVERSITY)
    assert regimes.filter(pl.col("regime") != "difference")["failed"].sum() == 8


def test_a_cell_that_lost_all_is_ranked_by_its_worst_case(tmp_path: Path) -> None:
    connection, run_id = losing(tmp_path, 10)
    found = sql.query(connection, "static_effect").row(by_predicate=_is(DIVERSITY), named=True)
    assert (found["change"], found["n"], found["failed"]) == (None, 0, 10)
    assert found["worst_case"] < 0
    ranks = sql.query(connection, "knob_ranking").filter(cell=CELL)
    assert set(ranks["metric"]) == {"aesthetic", "scene", "diversity"}
    assert set(ranks["rank"]) == {3.0}
    regimes = sql.query(connection, "regimes").filter(cell=CELL)
    assert regimes.height == 3 * 3
    assert regimes["change"].null_count() == regimes["method"].null_count() == regimes.height
    assert regimes["worst_case"].null_count() == 0
    assert regimes.filter(metric="diversity", regime="difference")["failed"].item() == 10
    assert analyse(connection, run_id, 10).schema.names == ANALYSIS.schema.names  # what is not known has no interval


def test_the_difference_of_a_regime_that_is_lost_is_not_known(tmp_path: Path) -> None:
    connection, _ = losing(tmp_path, 0)
    unstable = {
        unit
        for (unit,) in connection.sql(
            "SELECT unit FROM baseline_regimes WHERE kind = 'prompt' AND regime = 'unstable'"
        ).fetchall()
    }
    run_id = connection.sql("SELECT run_id FROM runs").fetchall()[0][0]

    def status(row: dict[str, Any]) -> str:
        return "blank" if row["cell"] == CELL and row["prompt_id"] in unstable else "ok"

    def value(row: dict[str, Any]) -> float | None:
        return None if row["cell"] == CELL and row["prompt_id"] in unstable else row["value"]

    alter(tmp_path, run_id, "samples", with_column("status", status))
    alter(tmp_path, run_id, "group_scores", with_column("value", value))
    connection = sql.connect(tmp_path)
    found = {row["regime"]: row for row in sql.query(connection, "regimes").filter(**DIVERSITY).to_dicts()}
    assert [found[name]["change"] is None for name in ("unstable", "stable", "difference")] == [True, False, True]
    assert (found["unstable"]["failed"], found["stable"]["failed"], found["difference"]["low"]) == (5, 0, None)
    both = found["unstable"]["worst_case"] - found["stable"]["worst_case"]
    assert found["difference"]["worst_case"] == pytest.approx(both)
    assert analyse(connection, run_id, 10).num_rows


def test_a_metric_without_a_better_side_has_a_change_and_no_rank(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=10, images=False))
    names = {"aesthetic": "sharpness"}
    alter(tmp_path, run_id, "scores", with_column("metric", lambda row: names.get(row["metric"], row["metric"])))
    connection = sql.connect(tmp_path)
    assert connection.sql("SELECT DISTINCT higher_is_better FROM metrics WHERE metric = 'sharpness'").fetchall() == [
        (None,)
    ]
    effects = sql.query(connection, "static_effect").filter(metric="sharpness")
    assert effects.height == 2
    assert effects["change"].null_count() == effects["low"].null_count() == 0
    assert effects["wins"].null_count() == effects["worst_case"].null_count() == 2
    assert effects["failed"].to_list() == [0, 3]
    align = sql.query(connection, "static_effect").filter(metric="alignment")
    assert (align["wins"].null_count(), align["worst_case"].null_count()) == (0, 2)
    regimes = sql.query(connection, "regimes").filter(metric="sharpness")
    assert (regimes["change"].null_count(), regimes["worst_case"].null_count()) == (0, regimes.height)
    assert regimes.filter(cell=CELL, regime="difference")["failed"].item() == 3
    ranks = sql.query(connection, "knob_ranking")
    assert set(ranks["metric"]) == {"scene", "diversity"}
    means = ranks.group_by("cell").agg(pl.col("rank").mean(), pl.col("mean_rank").first())
    assert means["rank"].to_list() == pytest.approx(means["mean_rank"].to_list())


def _is(key: dict[str, str]) -> pl.Expr:
    return pl.all_horizontal(pl.col(name) == value for name, value in key.items())


def test_a_prompt_of_two_scorers_fails_for_the_one_that_has_no_value(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=4, seeds=2, images=False, lost=False, blocks=3, steps=0))

    def is_lost(row: dict[str, Any]) -> bool:
        return row["cell"] == CELL and row["prompt_id"] == "p00000"

    def status(row: dict[str, Any]) -> str:
        return "blank" if is_lost(row) and row["seed"] == 0 else "ok"

    def with_another_scorer(table: pa.Table) -> pa.Table:
        rows = [row for row in table.to_pylist() if row["metric"] == "diversity"]
        other = {"set": "other", "scorer_version": 2}
        others = [{**row, **other, "value": None if is_lost(row) else row["value"]} for row in rows]
        return pa.concat_tables([table, pa.Table.from_pylist(others, table.schema)])

    alter(tmp_path, run_id, "samples", with_column("status", status))
    alter(tmp_path, run_id, "group_scores", with_another_scorer)
    effect = sql.query(sql.connect(tmp_path), "static_effect").row(by_predicate=_is(DIVERSITY), named=True)
    assert (effect["n"], effect["failed"]) == (7, 1)
    assert effect["worst_case"] < effect["change"]
