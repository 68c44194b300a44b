"""Two runs compared: what is the same, what changed and where, and what cannot be compared."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from skewbench import sql
from skewbench.storage.manifest import find_run
from skewbench.storage.records import Manifest
from skewbench.storage.store import open_store
from skewbench.tasks.experiment import MarginSpec, NightlySpec
from skewbench.tasks.regressions import Comparison, compare, summary
from skewbench.tasks.regressions.page import markdown
from skewbench.vocabulary.errors import InputError
from tests.lakes import Lake, drop_table
from tests.tasks.two_runs import Change, alter, two_runs, with_column

SMALL = Lake(prompts=16, seeds=2, blocks=3, steps=3, knobs=("baseline", "a1.20-b5"), lost=False)
SPEC = NightlySpec(margins=(MarginSpec(metric="aesthetic", margin=0.1),))


def _compare(folder: Path, lake: Lake = SMALL, changes: dict[str, Change] | None = None, **later: Any) -> Comparison:
    was, now = two_runs(folder, lake, changes, later)
    store = open_store(folder)
    return compare(store, find_run(store, now), find_run(store, was), SPEC)


def _row(found: Comparison, **key: Any) -> dict[str, Any]:
    return found.table.filter(pl.all_horizontal(pl.col(name) == value for name, value in key.items())).row(
        0, named=True
    )


def test_the_same_build_is_the_same_in_every_row(tmp_path: Path) -> None:
    found = _compare(tmp_path)
    assert set(found.table["verdict"]) == {"same", "not comparable"}
    cannot = found.table.filter(verdict="not comparable")
    assert set(cannot["metric"]) == {"seconds", "image_reward"}  # no earlier nights; no weights
    assert "weights missing" in _row(found, metric="image_reward")["reason"]
    assert {"sample", "prompt", "cell", "measure", "picture", "lost"} <= set(found.table["kind"])
    assert set(found.table.filter(kind="measure")["stage"]) == {"down", "mid", "up", "all"}
    assert found.worse.is_empty()
    assert "0 worse" not in summary(found)
    page = markdown(found, str(tmp_path))
    assert re.search(r"^- seconds \(.*baseline.*\): times on .* need 5 earlier nights \(found 0\)", page, re.M), page
    assert re.search(r"^- image\\_reward \(all\): no value: ", page, re.M), page


def test_a_measure_that_changes_is_located(tmp_path: Path) -> None:
    """One step of one block of one image: which one."""

    def energy(row: dict[str, Any]) -> list[float]:
        off = 0.01 if (row["block"], row["cell"], row["prompt_id"]) == (1, "a1.20-b5", "p00003") else 0.0
        return [value + off * (step >= 2) for step, value in enumerate(row["energy_steps"])]

    def mean(row: dict[str, Any]) -> float:
        return float(np.mean(energy(row)))

    changed = {"stability": lambda table: with_column("energy_steps", energy)(with_column("energy", mean)(table))}
    found = _compare(tmp_path, changes=changed)
    row = _row(found, metric="energy", cell="a1.20-b5", stage="mid")
    assert (row["verdict"], row["moved"], row["step"], row["block"], row["block_name"]) == (
        "changed",
        2,
        2,
        1,
        "block.1",
    )
    assert _row(found, metric="energy", cell="a1.20-b5", stage="all")["verdict"] == "changed"
    for same in ({"cell": "a1.20-b5", "stage": "up"}, {"cell": "baseline", "stage": "mid"}):
        assert _row(found, metric="energy", **same)["verdict"] == "same"
    assert "step 2, block 1" in markdown(found, tmp_path)


def test_a_metric_that_falls_is_worse_and_fails_the_night(tmp_path: Path) -> None:
    def lower(row: dict[str, Any]) -> float | None:
        return row["value"] - 0.5 if row["metric"] == "aesthetic" and row["cell"] == "baseline" else row["value"]

    found = _compare(tmp_path, changes={"scores": with_column("value", lower)})
    row = _row(found, metric="aesthetic", cell="baseline")
    assert (row["verdict"], row["required"], row["n"], row["prompts"]) == ("worse", True, 32, 16)
    assert row["change"] == pytest.approx(-0.5)
    assert row["q"] <= 0.01
    assert found.worse["metric"].to_list() == ["aesthetic"]
    assert "required and worse: aesthetic of baseline" in summary(found)
    assert _row(found, metric="scene", cell="baseline")["verdict"] == "same"


def test_scores_that_move_with_the_rounding_of_images_are_rounding(tmp_path: Path) -> None:
    def jump(row: dict[str, Any]) -> float | None:
        return row["value"] if row["value"] is None else row["value"] + 0.1

    def rounded(row: dict[str, Any]) -> dict[str, Any]:
        from io import BytesIO

        from PIL import Image

        pixels = np.asarray(Image.open(BytesIO(row["image"]["bytes"]))).copy()
        pixels[0, 0, 0] ^= 1
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    on_equal = _compare(tmp_path / "equal", changes={"scores": with_column("value", jump)})
    assert _row(on_equal, metric="aesthetic", cell="baseline")["moved"] == 32
    both = {"scores": with_column("value", jump), "images": with_column("image", rounded)}
    on_rounded = _compare(tmp_path / "rounded", changes=both)
    assert _row(on_rounded, metric="aesthetic", cell="baseline")["verdict"] == "same"
    assert _row(on_rounded, kind="picture", cell="baseline")["verdict"] == "same"


def test_on_another_device_only_effects_count(tmp_path: Path) -> None:
    found = _compare(tmp_path, changes={"samples": with_column("device", lambda row: "gpu")})
    assert found.table.filter(kind="measure")["moved"].null_count() == found.table.filter(kind="measure").height
    assert _row(found, metric="aesthetic", cell="baseline")["verdict"] == "same"  # within its margin
    assert _row(found, metric="scene", cell="baseline")["verdict"] == "inconclusive"  # which has none
    assert found.table.filter(kind="picture").is_empty()
    assert "device cpu and gpu" in summary(found)


def test_lost_images_are_worse(tmp_path: Path) -> None:
    """A build that destroys images does not look better for it."""

    def blank(row: dict[str, Any]) -> str:
        return "blank" if row["cell"] == "baseline" and row["prompt_id"] < "p00002" else "ok"

    found = _compare(tmp_path, changes={"samples": with_column("status", blank)})
    row = _row(found, kind="lost", cell="baseline")
    assert (row["verdict"], row["required"], row["moved"], row["mean"]) == ("worse", True, 4, 4 / 32)
    assert _row(found, metric="aesthetic", cell="baseline")["n"] == 28
    assert _row(found, kind="lost", cell="a1.20-b5")["verdict"] == "same"


@pytest.mark.parametrize("cells", [("a1.20-b5",), ("baseline", "a1.20-b5")])
def test_a_cell_that_failed_completely_is_worse(tmp_path: Path, cells: tuple[str, ...]) -> None:
    """What failed names no device; few prompts are enough."""

    def fail(table: pa.Table) -> pa.Table:
        table = with_column("status", lambda row: "failed" if row["cell"] in cells else "ok")(table)
        return with_column("device", lambda row: None if row["status"] == "failed" else row["device"])(table)

    found = _compare(tmp_path, replace(SMALL, prompts=3), {"samples": fail})
    row = _row(found, kind="lost", cell="a1.20-b5")
    assert (row["verdict"], row["moved"], row["reason"]) == ("worse", 6, "6 failed only in the later run")
    assert found.worse.select("metric", "cell").rows() == [("lost", cell) for cell in cells]
    platform = "the runs differ in device (known only for the earlier run)"
    assert (platform in summary(found)) == (len(cells) == 2)


def test_an_image_that_is_lost_is_not_made_up_for_by_one_that_is_back(tmp_path: Path) -> None:
    was, now = two_runs(tmp_path, SMALL)
    for run, seed in ((was, 0), (now, 1)):
        lose = with_column("status", lambda row, seed=seed: "blank" if row["seed"] == seed and _fourth(row) else "ok")
        alter(tmp_path, run, "samples", lose)
    store = open_store(tmp_path)
    found = compare(store, find_run(store, now), find_run(store, was), SPEC)
    row = _row(found, kind="lost", cell="a1.20-b5")
    assert (row["verdict"], row["change"]) == ("worse", 0.0)
    assert row["reason"] == "1 failed only in the later run, and 1 no longer fail"
    assert found.worse["cell"].to_list() == ["a1.20-b5"]


def _fourth(row: dict[str, Any]) -> bool:
    return (row["cell"], row["prompt_id"]) == ("a1.20-b5", "p00004")


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    def of_other(row: dict[str, Any]) -> int:
        return 2 if row["metric"] == "scene" else 1

    found = _compare(tmp_path / "scorer", changes={"scores": with_column("scorer_version", of_other)})
    assert "score both runs again" in _row(found, metric="scene", cell="baseline")["reason"]
    found = _compare(tmp_path / "steps", changes={"samples": with_column("steps", lambda row: 7)})
    assert {reason for reason in found.table["reason"] if "steps differs: 3 and 7" in reason}
    assert set(found.table["verdict"]) == {"not comparable"}
    found = _compare(tmp_path / "cells", knobs=("baseline", "warm"))
    assert _row(found, cell="warm")["reason"] == "only the later run has this cell"
    assert _row(found, cell="a1.20-b5")["reason"] == "only the earlier run has this cell"
    assert _row(found, cell="baseline", metric="aesthetic")["verdict"] != "not comparable"
    found = _compare(tmp_path / "more", more=1)
    assert _row(found, metric="more-0")["reason"] == "only the later run has it"


def test_only_images_of_both_runs_pair(tmp_path: Path) -> None:
    found = _compare(tmp_path / "fewer", prompts=6)
    assert _row(found, metric="aesthetic", cell="baseline")["n"] == 12
    found = _compare(tmp_path / "others", seed=1)
    row = _row(found, metric="aesthetic", cell="baseline")
    assert (row["n"], row["verdict"]) == (0, "not comparable")
    assert "no pair of the same prompt" in row["reason"]


def test_one_prompt_is_no_test(tmp_path: Path) -> None:
    def other(row: dict[str, Any]) -> str:
        return "gpu"

    found = _compare(tmp_path, replace(SMALL, prompts=1, steps=0), {"samples": with_column("device", other)})
    assert set(found.table["verdict"]) <= {"inconclusive", "not comparable"}


def test_runs_without_scores_or_measures_compare_by_what_they_have(tmp_path: Path) -> None:
    was, now = two_runs(tmp_path, SMALL)
    drop_table(tmp_path, now, "scores", "group_scores", "stability")
    store = open_store(tmp_path)
    found = compare(store, find_run(store, now), find_run(store, was), SPEC)
    assert _row(found, metric="aesthetic")["reason"] == "only the earlier run has it"
    assert _row(found, kind="picture", cell="baseline")["verdict"] == "same"


def test_what_is_required_and_not_comparable_is_told(tmp_path: Path) -> None:
    newer = with_column("scorer_version", lambda row: 2 if row["metric"] == "aesthetic" else 1)
    found = _compare(tmp_path, changes={"scores": newer})
    found.check()
    assert found.unchecked == ["aesthetic"]
    assert "; required and not comparable: aesthetic" in summary(found)
    assert not _compare(tmp_path / "same").unchecked


def test_a_run_against_itself_is_told(tmp_path: Path) -> None:
    _, now = two_runs(tmp_path, SMALL)
    store = open_store(tmp_path)
    run: Manifest = find_run(store, now)
    with pytest.raises(InputError, match="with itself"):
        compare(store, run, run, SPEC)
    with pytest.raises(InputError, match="still running"):
        compare(store, replace(run, status="running"), run, SPEC)


def test_rows_are_those_of_the_schema(tmp_path: Path) -> None:
    found = _compare(tmp_path)
    assert found.to_arrow().num_rows == found.table.height
    with sql.connect(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM regressions").fetchone() == (0,)
