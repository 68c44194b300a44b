from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from skewbench import sql
from tests.lakes import Lake, make
from tests.tasks.two_runs import alter, with_column


def test_means_intervals_and_losses(tmp_path: Path) -> None:
    make(tmp_path, Lake(prompts=12, seeds=4, images=False))
    connection = sql.connect(tmp_path)
    curve = sql.query(connection, "operating_curve")
    assert set(curve["metric"]) == {"scene", "aesthetic", "diversity", "vendi"}  # image_reward has no value anywhere
    values = connection.sql("FROM metric_values WHERE status = 'ok' AND metric = 'aesthetic'").pl()
    worst = values["value"].min()
    for row in curve.filter(metric="aesthetic").iter_rows(named=True):
        mine = values.filter(cell=row["cell"])
        assert row["mean"] == pytest.approx(mine["value"].mean(), abs=1e-12)
        assert row["n"] == mine.height
        residuals = mine.with_columns(r=pl.col("value") - row["mean"]).group_by("prompt_id").agg(pl.col("r").sum())["r"]
        error = np.sqrt((residuals**2).sum() * 12 / 11) / mine.height
        assert (row["high"] - row["low"]) / 2 == pytest.approx(1.959963984540054 * error)
        lost = row["failed"] + row["blank"] + row["nonfinite"]
        assert lost == (3 if row["cell"] == "a1.20-b5" else 0)
        assert row["worst_case"] == pytest.approx((row["mean"] * row["n"] + worst * lost) / (row["n"] + lost))
    whole = curve.filter(kind="cell")
    assert whole["low"].null_count() == whole.height == 3


@pytest.mark.slow
def test_the_interval_covers_the_truth(tmp_path: Path) -> None:
    """Seeds of a prompt share half of their variance: an interval that took them for independent would miss."""
    inside = []
    for seed in range(40):
        folder = tmp_path / str(seed)
        make(
            folder,
            Lake(prompts=40, seeds=4, blocks=3, steps=0, images=False, seed=seed, knobs=("baseline",), lost=False),
        )
        row = sql.query(sql.connect(folder), "operating_curve").row(
            by_predicate=pl.col("metric") == "aesthetic", named=True
        )
        inside.append(row["low"] <= 5.0 <= row["high"])
    assert np.mean(inside) >= 0.8


def test_cells_that_lost_everything_are_still_shown(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from skewbench.storage.tables import TABLES

    run_id = make(tmp_path, Lake(prompts=3, images=False, shards=1))
    for path in (tmp_path / "samples" / f"run_id={run_id}").glob("*.parquet"):
        rows = pq.ParquetFile(path).read().to_pylist()
        if rows[0]["cell"] == "a1.20-b5":
            blank = [row | {"status": "blank"} for row in rows]
            pq.write_table(pa.Table.from_pylist(blank, TABLES["samples"].schema), path)
    row = sql.query(sql.connect(tmp_path), "operating_curve").row(
        by_predicate=(pl.col("metric") == "scene") & (pl.col("cell") == "a1.20-b5"), named=True
    )
    assert (row["n"], row["mean"], row["blank"]) == (0, None, 9)
    assert row["worst_case"] is not None


def test_values_against_several_references_are_not_mixed(tmp_path: Path) -> None:
    """Of a metric of whole cells there is one value a cell: against the reference that most cells have."""
    run_id = make(tmp_path, Lake(prompts=6, images=False, lost=False))

    def against_more(table: pa.Table) -> pa.Table:
        whole = [row for row in table.to_pylist() if row["metric"] == "vendi"]
        more = [row | {"set": "against others", "value": 100.0} for row in whole if row["cell"] != "baseline"]
        return pa.Table.from_pylist([*table.to_pylist(), *more], schema=table.schema)

    before = sql.query(sql.connect(tmp_path), "pareto_front", diversity="vendi")
    alter(tmp_path, run_id, "group_scores", against_more)
    connection = sql.connect(tmp_path)
    assert connection.sql("SELECT DISTINCT \"set\" FROM group_scores WHERE metric = 'vendi'").pl().height == 2
    curve = sql.query(connection, "operating_curve").filter(metric="vendi")
    assert curve["cell"].is_unique().all()
    assert 100.0 not in curve["mean"]
    assert_frame_equal(sql.query(connection, "pareto_front", diversity="vendi"), before)


def test_what_has_no_better_side_is_shown_and_judged_by_nobody(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=6, images=False))
    names = {"aesthetic": "contrast"}
    alter(tmp_path, run_id, "scores", with_column("metric", lambda row: names.get(row["metric"], row["metric"])))
    connection = sql.connect(tmp_path)
    (contrast,) = connection.sql(
        "SELECT higher_is_better, worst, best FROM metrics WHERE metric = 'contrast'"
    ).fetchall()
    assert contrast == (None, None, None)
    curve = sql.query(connection, "operating_curve").filter(metric="contrast")
    assert curve["mean"].null_count() == 0
    assert curve["worst_case"].null_count() == curve.height == 3
    assert set(sql.query(connection, "worst_fraction")["chosen_by"]) == {"scene"}
    assert "contrast" in set(sql.query(connection, "worst_fraction")["metric"])
    assert connection.sql("SELECT metric FROM main_metrics WHERE role = 'fidelity'").fetchall() == [("scene",)]
    with pytest.raises(ValueError, match="fidelity 'contrast': no metric of an image that has a better side"):
        sql.query(connection, "pareto_front", fidelity="contrast")
