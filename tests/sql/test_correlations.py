"""DuckDB, Polars and scipy give the same numbers."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from skewbench import sql
from skewbench.storage.tables import TABLES
from tests.lakes import FEW, Lake, make

MEASURES = ["neg_energy", "instability", "alignment", "symmetry"]


def rewrite_scores(folder: Path, run_id: str, seed: int) -> None:
    """Random scores with many ties, NULLs and a NaN."""
    rng = np.random.default_rng(seed)
    for path in (folder / "scores" / f"run_id={run_id}").glob("*.parquet"):
        rows = pq.ParquetFile(path).read().to_pylist()
        for row in rows:
            row["value"] = float(rng.integers(0, 6)) if rng.random() > 0.15 else None
        if rows:
            rows[0]["value"] = float("nan")
        pq.write_table(pa.Table.from_pylist(rows, TABLES["scores"].schema), path)


@pytest.mark.parametrize("seed", range(4))
def test_duckdb_polars_and_scipy_agree(tmp_path: Path, seed: int) -> None:
    run_id = make(tmp_path, Lake(prompts=30, seeds=4, images=False, seed=seed, missing=()))
    rewrite_scores(tmp_path, run_id, seed)
    connection = sql.connect(tmp_path)
    ours = sql.query(connection, "correlations", cell="*").filter(pl.col("kind") == "sample")
    assert ours.height == len(FEW) * 2 * 4 * 4
    wide = connection.sql("""
        SELECT s.*, -s.energy AS neg_energy, m.metric, m.value
        FROM stage_stability AS s JOIN metric_values AS m USING (run_id, sample_id) WHERE m.status = 'ok'
    """).pl()
    for row in ours.iter_rows(named=True):
        pair = wide.filter(
            (pl.col("cell") == row["cell"]) & (pl.col("metric") == row["metric"]) & (pl.col("stage") == row["stage"])
        ).filter(pl.col("value").is_finite() & pl.col(row["measure"]).is_finite())
        assert row["n"] == pair.height
        x, y = pair[row["measure"]], pair["value"]
        assert row["rho"] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
        assert row["rho"] == pytest.approx(pair.select(pl.corr(x, y, method="spearman")).item(), abs=1e-9)


def test_diversity_goes_with_the_prompts_mean_measure(tmp_path: Path) -> None:
    make(tmp_path, Lake(prompts=20, images=False))
    connection = sql.connect(tmp_path)
    row = sql.query(connection, "correlations").row(
        by_predicate=(pl.col("metric") == "diversity") & (pl.col("stage") == "up") & (pl.col("measure") == "alignment"),
        named=True,
    )
    by_prompt = connection.sql("""
        SELECT prompt_id, avg(alignment) AS x, any_value(value) AS y
        FROM stage_stability JOIN prompt_metric_values USING (run_id, cell, prompt_id)
        WHERE cell = 'baseline' AND stage = 'up' GROUP BY prompt_id
    """).pl()
    assert (row["kind"], row["n"]) == ("prompt", 20)
    assert row["rho"] == pytest.approx(stats.spearmanr(by_prompt["x"], by_prompt["y"]).statistic, abs=1e-9)


def test_the_known_signs_come_out(tmp_path: Path) -> None:
    make(tmp_path, Lake(prompts=60, seeds=4, images=False))
    found = sql.query(sql.connect(tmp_path), "correlations").filter(pl.col("stage") == "all")
    signs = {(row["metric"], row["measure"]): np.sign(row["rho"]) for row in found.iter_rows(named=True)}
    for metric, sign in {"scene": 1, "aesthetic": 1, "diversity": -1}.items():
        assert [signs[metric, measure] for measure in MEASURES] == [sign, -sign, sign, sign]


def test_a_null_metric_drops_out_of_its_own_cell_alone(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=10, images=False, lost=False))
    whole = sql.query(sql.connect(tmp_path), "correlations", cell="*")
    path = sorted((tmp_path / "scores" / f"run_id={run_id}").glob("*.parquet"))[0]
    rows = pq.ParquetFile(path).read().to_pylist()
    hit = next(row for row in rows if row["metric"] == "scene")
    hit["value"] = None
    pq.write_table(pa.Table.from_pylist(rows, TABLES["scores"].schema), path)
    holed = sql.query(sql.connect(tmp_path), "correlations", cell="*")
    touched = (pl.col("cell") == hit["cell"]) & (pl.col("metric") == "scene")
    assert set(whole.filter(touched)["n"]) == {30}
    assert set(holed.filter(touched)["n"]) == {29}
    assert_frame_equal(holed.filter(~touched), whole.filter(~touched))


def test_lost_samples_and_constants(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=10, images=False))
    last = sql.query(sql.connect(tmp_path), "correlations", cell="a1.20-b5")
    assert set(last.filter(kind="sample")["n"]) == {27}  # blank, failed and nonfinite are out
    for path in (tmp_path / "scores" / f"run_id={run_id}").glob("*.parquet"):
        rows = pq.ParquetFile(path).read().to_pylist()
        pq.write_table(pa.Table.from_pylist([row | {"value": 1.0} for row in rows], TABLES["scores"].schema), path)
    constant = sql.query(sql.connect(tmp_path), "correlations").filter(kind="sample")
    assert constant["rho"].null_count() == constant.height


def test_without_a_baseline_every_cell_is_shown(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(images=False))
    manifest = tmp_path / "_runs" / f"{run_id}.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"baseline": None}))
    assert set(sql.query(sql.connect(tmp_path), "correlations")["cell"]) == set(FEW)
