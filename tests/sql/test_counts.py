"""The queries that count and time: failures, speed, stability_profile."""

import json
from pathlib import Path

import polars as pl
import pytest

from skewbench import sql
from tests.lakes import Lake, make


def test_failures_count_every_sample_with_its_reason(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    found = sql.query(sql.connect(tmp_path), "failures")
    assert found["samples"].sum() == 72
    lost = found.filter(pl.col("status") != "ok")
    assert set(lost["reason"]) == {"made to be failed", "made to be blank", "made to be nonfinite"}
    assert lost["share"].to_list() == pytest.approx([1 / 24] * 3)


def test_a_cell_without_samples_is_not_forgotten(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(images=False))
    manifest = tmp_path / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    content["cells"].append({"name": "hot", "knob": {"kind": "temperature", "tau": 2.0}})
    manifest.write_text(json.dumps(content))
    row = sql.query(sql.connect(tmp_path), "failures").row(by_predicate=pl.col("cell") == "hot", named=True)
    assert (row["status"], row["samples"], row["share"]) == (None, 0, None)


def test_speed_is_compared_with_the_baseline(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    found = sql.query(sql.connect(tmp_path), "speed")
    assert found["slowdown"].to_list() == pytest.approx([1.0, 1.2, 1.4])
    assert found["images_per_minute"][0] == pytest.approx(240)
    assert found["peak_memory"].null_count() == 3


def test_the_profile_has_means_and_steps(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False, blocks=6, steps=4))
    connection = sql.connect(tmp_path)
    found = sql.query(connection, "stability_profile")
    assert found.height == 3 * 6 * (1 + 4)
    means = found.filter(pl.col("step").is_null())
    steps = found.filter(pl.col("step").is_not_null()).group_by("cell", "block").agg(pl.col("alignment").mean())
    joined = means.join(steps, on=["cell", "block"])
    assert (joined["alignment"] - joined["alignment_right"]).abs().max() < 1e-6
    assert set(found.filter(cell="a1.20-b5")["n"]) == {21}
    assert not sql.query(connection, "stability_profile", branch="cond").equals(found)
