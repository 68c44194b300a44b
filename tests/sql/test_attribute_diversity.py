"""The query attribute_diversity: means and paired changes by attribute, with the analysis' intervals."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from skewbench import sql
from tests.lakes import Lake, make
from tests.tasks.two_runs import add_attributes


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    run_id = make(tmp_path, Lake(prompts=12))
    add_attributes(tmp_path, run_id)
    return tmp_path


def test_means_changes_and_intervals_are_those_of_the_prompts(lake: Path) -> None:
    with sql.connect(lake) as opened:
        answer = sql.query(opened, "attribute_diversity")
        values = opened.execute("SELECT * FROM prompt_metric_values").pl()
        baseline, *cells = sql.read_context(opened).cells
    assert set(answer["attribute"]) == {"texture", "layout", "colour"}
    assert dict(answer.group_by("seen_by").len().rows()) == {"scene": 2 * (1 + len(cells)), "clip": 1 + len(cells)}
    for cell in (baseline, *cells):
        (row,) = answer.filter(cell=cell, attribute="texture").to_dicts()
        own, base = (
            values.filter(cell=name, metric="attribute_scene_texture").sort("prompt_id") for name in (cell, baseline)
        )
        mean, error = own["value"].mean(), own["value"].std() / np.sqrt(12)
        assert (row["n"], row["images"]) == (12, own["n"].sum())
        assert (row["mean"], row["low"], row["high"]) == pytest.approx(
            (mean, mean - 1.96 * error, mean + 1.96 * error), rel=1e-4
        )
        if cell == baseline:
            assert row["change"] is row["pairs"] is None
            continue
        change = own["value"] - base["value"]
        error = np.sqrt(((change - change.mean()) ** 2).sum() * 12 / 11) / 12
        assert row["pairs"] == 12
        assert row["change"] == pytest.approx(change.mean())
        assert (row["change_low"], row["change_high"]) == pytest.approx(
            (change.mean() - 1.96 * error, change.mean() + 1.96 * error), rel=1e-4, abs=1e-6
        )


def test_a_run_without_such_metrics_has_no_rows_and_no_section(tmp_path: Path) -> None:
    make(tmp_path, Lake())
    with sql.connect(tmp_path) as opened:
        assert sql.query(opened, "attribute_diversity").is_empty()
    section = sql.find("attribute_diversity").section
    assert section is not None
    assert section.only_with_rows


def test_the_figure_has_a_chart_for_each_way_of_seeing(lake: Path) -> None:
    with sql.connect(lake) as opened:
        answer, context = sql.query(opened, "attribute_diversity"), sql.read_context(opened)
    query = sql.find("attribute_diversity")
    drawings = query.draw(answer, context)
    assert [drawing.title for drawing in drawings] == ["Attributes from the pixels of scenes", "Attributes by CLIP"]
    assert len(query.draw(answer.filter(pl.col("seen_by") == "clip"), context)) == 1
