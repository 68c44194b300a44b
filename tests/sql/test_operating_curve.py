from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sql
from tests.lakes import Lake, make


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

    from sql.schemas import TABLES

    run_id = make(tmp_path, Lake(prompts=3, images=False, shards=1))
    for path in (tmp_path / "samples" / f"run_id={run_id}").glob("*.parquet"):
        rows = pq.ParquetFile(path).read().to_pylist()
        if rows[0]["cell"] == "a1.20-b5":
            pq.write_table(pa.Table.from_pylist([r | {"status": "blank"} for r in rows], TABLES["samples"]), path)
    row = sql.query(sql.connect(tmp_path), "operating_curve").row(
        by_predicate=(pl.col("metric") == "scene") & (pl.col("cell") == "a1.20-b5"), named=True
    )
    assert (row["n"], row["mean"], row["blank"]) == (0, None, 9)
    assert row["worst_case"] is not None
