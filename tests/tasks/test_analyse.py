import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from skewbench import sql
from skewbench.storage.tables.analysis import ANALYSIS
from skewbench.tasks.analyse import analyse
from tests.lakes import KNOBS, Lake, make
from tests.tasks.analysed import store
from tests.tasks.two_runs import alter, with_column

QUERIES = ("correlations", "operating_curve", "regimes", "worst_fraction", "static_effect", "adaptive_vs_static")


def test_the_answers_are_those_of_the_queries_and_come_back_beside_them(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=15, images=False, knobs=tuple(KNOBS)))
    plain = {name: sql.query(sql.connect(tmp_path), name) for name in QUERIES}
    answers = store(tmp_path, run_id)
    assert set(answers["query"]) == {*QUERIES, "pareto_front"}
    assert answers.filter(pl.col("low").is_null()).height == 0
    assert answers.filter((pl.col("low") > pl.col("value")) | (pl.col("value") > pl.col("high"))).height < 10
    connection = sql.connect(tmp_path)
    for name in QUERIES:
        shown = sql.query(connection, name)
        assert_frame_equal(shown.drop("low", "high", "method"), plain[name].drop("low", "high", "method"))
        intervals = shown if name != "operating_curve" else shown.filter(pl.col("kind") != "cell")
        assert set(intervals["method"]) == {"bootstrap clustered by prompt, 200 resamples, 95%"}


def test_one_prompt_has_no_spread_however_many_seeds(tmp_path: Path) -> None:
    answers = store(tmp_path, make(tmp_path, Lake(prompts=1, seeds=12, images=False, knobs=tuple(KNOBS))))
    assert answers.height > 0
    assert answers["low"].null_count() == answers["high"].null_count() == answers.height
    connection = sql.connect(tmp_path)
    for name in QUERIES:
        shown = sql.query(connection, name)
        assert shown["low"].null_count() == shown["method"].null_count() == shown.height, name


def test_bootstrap_and_normal_intervals_of_means_agree(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=60, seeds=4, images=False))
    normal = sql.query(sql.connect(tmp_path), "operating_curve").filter(pl.col("kind") != "cell")
    store(tmp_path, run_id)
    bootstrap = sql.query(sql.connect(tmp_path), "operating_curve").filter(pl.col("kind") != "cell")
    ratio = (bootstrap["high"] - bootstrap["low"]) / (normal["high"] - normal["low"])
    assert ratio.is_between(0.75, 1.25).all()


def test_an_interval_is_shown_only_beside_the_value_it_was_made_for(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=15, images=False))
    store(tmp_path, run_id)
    connection = sql.connect(tmp_path)
    assert sql.query(connection, "correlations", branch="cond")["low"].null_count() == 48
    assert set(sql.query(connection, "worst_fraction", fraction=0.4)["method"]) == {"normal, clustered by prompt, 95%"}
    store(tmp_path, run_id, branch="cond")
    connection = sql.connect(tmp_path)
    assert sql.query(connection, "correlations", branch="cond")["low"].null_count() == 0
    assert sql.query(connection, "correlations")["low"].null_count() == 0


def test_an_interval_depends_on_the_branch_only_where_its_value_does(tmp_path: Path) -> None:
    answers = store(tmp_path, make(tmp_path, Lake(prompts=15, images=False)), branch="uncond")
    free = answers.filter(branch="*")
    assert set(free["query"]) == {"operating_curve", "worst_fraction", "static_effect", "pareto_front"}
    assert set(answers.filter(branch="uncond")["query"]) == {"correlations", "regimes", "static_effect"}
    methods = dict(sql.query(sql.connect(tmp_path), "static_effect").select("metric", "method").iter_rows())
    assert {metric for metric, method in methods.items() if method.startswith("normal")} == {"alignment"}


def test_intervals_are_those_of_the_parts_that_were_analysed(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=15, images=False))
    store(tmp_path, run_id)
    manifest = tmp_path / "_runs" / f"{run_id}.json"
    analysed = json.loads(manifest.read_text())

    def methods(replaced: dict[str, str], renamed: str | None = None) -> set[str]:
        """Of the answers with the same rows, one part of them under another name."""
        parts = [part | {"path": renamed} if renamed and part == first else part for part in analysed["parts"]]
        manifest.write_text(json.dumps(analysed | {"parts": parts, "replaced": replaced}))
        return set(sql.query(sql.connect(tmp_path), "static_effect")["method"])

    first = next(part for part in analysed["parts"] if part["table"] == "scores")
    other = f"scores/run_id={run_id}/again-1.parquet"
    (tmp_path / other).write_bytes((tmp_path / first["path"]).read_bytes())
    assert methods({}) == {"bootstrap clustered by prompt, 200 resamples, 95%"}
    assert methods({}, other) == {"normal, clustered by prompt, 95%"}  # scored again: the numbers may be others
    assert methods({first["path"]: other}, other) == {"bootstrap clustered by prompt, 200 resamples, 95%"}  # compacted


def test_each_measure_splits_regimes_with_its_interval(tmp_path: Path) -> None:
    store(tmp_path, make(tmp_path, Lake(prompts=15, images=False)))
    connection = sql.connect(tmp_path)
    for measure in ("alignment", "neg_energy", "instability"):
        found = sql.query(connection, "regimes", measure=measure)
        assert set(found["method"]) == {"bootstrap clustered by prompt, 200 resamples, 95%"}
    assert connection.sql("SELECT getvariable('measure')").fetchall() == [(None,)]


def test_stages_are_compared(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=15, images=False))
    found = store(tmp_path, run_id).filter(query="correlations", statistic="difference", cell="baseline")
    assert set(found["stage"]) == {"mid - down", "up - down", "up - mid"}
    rho = sql.query(sql.connect(tmp_path), "correlations").filter(metric="aesthetic", measure="alignment")
    by_stage = dict(zip(rho["stage"], rho["rho"], strict=True))
    row = found.filter(metric="aesthetic", measure="alignment", stage="up - down")
    assert row["value"].item() == pytest.approx(by_stage["up"] - by_stage["down"])
    assert row["low"].item() < row["value"].item() < row["high"].item()


def test_areas_of_families_have_intervals(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=15, images=False, knobs=tuple(KNOBS)))
    found = store(tmp_path, run_id).filter(query="pareto_front")
    assert set(found["regime"]) == {"static", "adaptive", "temperature", "static - temperature"}
    area = dict(zip(found["regime"], found["value"], strict=True))
    assert area["static - temperature"] == pytest.approx(area["static"] - area["temperature"])
    shown = sql.query(sql.connect(tmp_path), "pareto_front").filter(pl.col("family") != "baseline")
    assert shown["low"].null_count() == 0
    assert (shown["low"] <= shown["high"]).all()
    assert shown["low"].is_between(0, 1).all()
    assert shown["high"].is_between(0, 1).all()


def test_areas_without_a_box_have_no_interval(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=6, images=False, lost=False))

    def a_bit_apart(row: dict[str, Any]) -> float | None:
        return 0.3 + 1e-13 * (int(row["sample_id"], 16) % 2) if row["metric"] == "aesthetic" else row["value"]

    alter(tmp_path, run_id, "scores", with_column("value", a_bit_apart))
    found = store(tmp_path, run_id).filter(query="pareto_front")
    assert found.height > 0
    assert found.select("value", "low", "high").null_count().row(0) == (found.height,) * 3


def test_it_is_seeded(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(images=False))
    connection = sql.connect(tmp_path)
    first = analyse(connection, run_id, resamples=50)
    assert first.schema.equals(ANALYSIS.schema)
    lows = first["low"].to_pylist()
    assert analyse(connection, run_id, resamples=50)["low"].to_pylist() == pytest.approx(lows, abs=1e-9)
    assert analyse(connection, run_id, resamples=50, seed=1)["low"].to_pylist() != pytest.approx(lows, abs=1e-9)


@pytest.mark.parametrize(
    "lake",
    [
        Lake(prompts=1, seeds=1, images=False, lost=False),
        Lake(knobs=("baseline",), images=False, lost=False),
        Lake(prompts=1, seeds=3, images=False),  # the last cell loses all
        Lake(knobs=("a1.05-b3",), images=False, lost=False),  # no baseline
    ],
)
def test_little_data_gives_few_answers_and_no_error(tmp_path: Path, lake: Lake) -> None:
    run_id = make(tmp_path, lake)
    store(tmp_path, run_id)
    for name in QUERIES:
        sql.query(sql.connect(tmp_path), name)


@pytest.mark.parametrize(("left_out", "kept"), [("group_scores", "sample"), ("scores", "prompt")])
def test_a_run_with_metrics_of_one_kind(tmp_path: Path, left_out: str, kept: str) -> None:
    run_id = make(tmp_path, Lake(images=False))
    manifest = tmp_path / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    content["parts"] = [part for part in content["parts"] if part["table"] != left_out]
    manifest.write_text(json.dumps(content))
    answers = store(tmp_path, run_id).filter(query="correlations", statistic="rho")
    assert answers.height > 0
    known = sql.query(sql.connect(tmp_path), "correlations", cell="*").drop_nulls("low")
    assert set(known["kind"]) == {kept}


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(images=False))
    with pytest.raises(ValueError, match=f"'nothing' is not among those of the connection: {run_id}"):
        analyse(sql.connect(tmp_path), "nothing")
