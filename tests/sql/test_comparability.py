"""What does not compare is not paired: sets of other sizes, scores of other versions; and which knobs are the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from skewbench import sql
from tests.lakes import KNOBS, Lake, make
from tests.tasks.two_runs import alter, two_runs, with_column

LAKE = Lake(prompts=10, seeds=4, images=False, lost=False, blocks=3, steps=0, knobs=("baseline", "a1.05-b3"))
Rows = Callable[[dict[str, Any]], Any]


def rename(metric: str) -> Rows:
    return lambda row: metric if row["metric"] == "diversity" else row["metric"]


def smaller(row: dict[str, Any]) -> int:
    return 3 if row["cell"] == "a1.05-b3" and row["prompt_id"] is not None and row["prompt_id"] < "p00004" else row["n"]


@pytest.mark.parametrize(("metric", "paired"), [("vendi_score", 6), ("msssim_diversity", 10)])
def test_only_vendi_score_asks_for_sets_of_one_size(tmp_path: Path, metric: str, paired: int) -> None:
    run_id = make(tmp_path, LAKE)
    alter(tmp_path, run_id, "group_scores", with_column("metric", rename(metric)))
    alter(tmp_path, run_id, "group_scores", with_column("n", smaller))

    def status(row: dict[str, Any]) -> str:  # p00003 has a smaller set for another reason
        return "blank" if row["cell"] == "a1.05-b3" and row["prompt_id"] < "p00003" and row["seed"] == 0 else "ok"

    alter(tmp_path, run_id, "samples", with_column("status", status))
    connection = sql.connect(tmp_path)
    found = sql.query(connection, "static_effect").filter(metric=metric)
    lost = 0 if paired == 10 else 3
    assert (found["n"].item(), found["failed"].item()) == (paired, lost)
    assert (found["worst_case"].item() < found["change"].item()) == bool(lost)
    regimes = sql.query(connection, "regimes").filter(pl.col("regime") != "difference", metric=metric)
    assert (regimes["n"].sum(), regimes["failed"].sum()) == (paired, lost)
    pairs = connection.sql(f"FROM prompt_paired WHERE metric = '{metric}'").pl()
    assert pairs.height == paired
    assert (pairs["n"] == pairs["baseline_n"]).all() == bool(lost)


@pytest.mark.parametrize(("metric", "paired"), [("vendi_score", 6), ("msssim_diversity", 10)])
def test_two_runs_pair_sets_of_one_size(tmp_path: Path, metric: str, paired: int) -> None:
    earlier, later = two_runs(tmp_path, LAKE, {"group_scores": with_column("n", smaller)})
    for run_id in (earlier, later):
        alter(tmp_path, run_id, "group_scores", with_column("metric", rename(metric)))
    found = sql.query(sql.connect(tmp_path), "run_changes").filter(metric=metric)
    assert found.select("cell", "n").rows() == [("baseline", 10), ("a1.05-b3", paired)]


def test_the_rule_is_held_against_sets_of_one_size(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=10, images=False, lost=False, knobs=tuple(KNOBS)))
    alter(tmp_path, run_id, "group_scores", with_column("metric", rename("vendi_score")))
    few = with_column("n", lambda row: 2 if row["cell"] == "adaptive" and row["prompt_id"] == "p00000" else row["n"])
    alter(tmp_path, run_id, "group_scores", few)
    found = sql.query(sql.connect(tmp_path), "adaptive_vs_static")
    assert dict(found.select("metric", "n").iter_rows()) == {
        "aesthetic": 30,
        "scene": 30,
        "vendi_score": 9,
        "alignment": 30,
    }


def newer(row: dict[str, Any]) -> int:
    return 2 if row["metric"] in ("aesthetic", "diversity") else 1


def test_two_runs_pair_scores_of_one_version(tmp_path: Path) -> None:
    two_runs(tmp_path, LAKE, {table: with_column("scorer_version", newer) for table in ("scores", "group_scores")})
    found = sql.query(sql.connect(tmp_path), "run_changes")
    assert set(found["metric"]) == {"scene", "alignment"}
    assert found["n"].to_list() == [40] * 4


def test_two_runs_pair_scores_of_one_package(tmp_path: Path) -> None:
    def package(row: dict[str, Any]) -> str | None:
        return "toy 1.5" if newer(row) == 2 else None

    two_runs(tmp_path, LAKE, {table: with_column("package", package) for table in ("scores", "group_scores")})
    assert set(sql.query(sql.connect(tmp_path), "run_changes")["metric"]) == {"scene", "alignment"}


def test_a_run_pairs_scores_of_one_version(tmp_path: Path) -> None:
    run_id = make(tmp_path, LAKE)

    def version(row: dict[str, Any]) -> int:
        return newer(row) if row["cell"] == "a1.05-b3" else 1

    for table in ("scores", "group_scores"):
        alter(tmp_path, run_id, table, with_column("scorer_version", version))
    connection = sql.connect(tmp_path)
    assert set(sql.query(connection, "static_effect")["metric"]) == {"scene", "alignment"}
    assert set(sql.query(connection, "regimes")["metric"]) == {"scene"}
    assert set(sql.query(connection, "worst_fraction")["metric"]) == {"scene"}
    assert sql.query(connection, "change_by_alignment", metric="aesthetic").is_empty()
    assert connection.sql("SELECT count(change), count(value) FROM paired WHERE metric = 'aesthetic'").fetchall() == [
        (0, 40)
    ]


@pytest.mark.parametrize(
    ("knob", "same"),
    [
        ({"beta": 3.0, "kind": "skew", "alpha": 1.05}, True),
        ({"kind": "skew", "alpha": 1.05, "beta": 3.0, "rescale": "norm", "window": [0.0, 1.0]}, True),
        ({"kind": "skew", "alpha": 1.05, "beta": 3.0, "rescale": "off"}, False),
        ({"kind": "skew", "alpha": 1.05, "beta": 3.0, "eta_scope": "batch"}, False),
        ({"kind": "skew", "alpha": 1.05}, False),
        ({"kind": "temperature", "tau": 1.05}, False),
    ],
)
def test_the_same_knob_may_be_written_otherwise(tmp_path: Path, knob: dict[str, Any], same: bool) -> None:
    _, later = two_runs(tmp_path, LAKE)
    path = tmp_path / "_runs" / f"{later}.json"
    manifest = json.loads(path.read_text())
    manifest["cells"][1]["knob"] = knob
    path.write_text(json.dumps(manifest))
    found = sql.query(sql.connect(tmp_path), "run_changes")
    assert dict(found.select("cell", "same_knob").unique().iter_rows()) == {"baseline": True, "a1.05-b3": same}
