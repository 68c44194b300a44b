"""Which values of two runs are compared with one another, and which cannot be."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from skewbench.storage.manifest import find_run
from skewbench.storage.store import open_store
from skewbench.tasks.experiment import NightlySpec
from skewbench.tasks.regressions import Comparison, compare
from skewbench.tasks.regressions.page import markdown, rows_for_people
from tests.lakes import Lake
from tests.tasks.two_runs import Change, alter, two_runs, with_column

SMALL = Lake(prompts=16, seeds=2, blocks=3, steps=0, knobs=("baseline", "a1.20-b5"), lost=False)


def _compared(folder: Path, was: str, now: str) -> Comparison:
    store = open_store(folder)
    return compare(store, find_run(store, now), find_run(store, was), NightlySpec())


def _with_knob(folder: Path, run: str, **knob: object) -> None:
    """The second cell's knob, as a manifest might have it."""
    path = folder / "_runs" / f"{run}.json"
    content = json.loads(path.read_text())
    content["cells"][1]["knob"] = knob
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("knob", "verdict"),
    [
        ({"kind": "skew", "beta": 5, "alpha": 1.2, "rescale": "norm", "window": [0, 1], "blocks": "all"}, "same"),
        ({"kind": "skew", "alpha": 1.2, "beta": 5.0, "rescale": "off"}, "not comparable"),
        ({"kind": "skew", "alpha": 1.2, "beta": 5.0, "of_a_later_version": 1}, "not comparable"),
    ],
)
def test_a_knob_is_the_same_however_it_is_written(tmp_path: Path, knob: dict[str, object], verdict: str) -> None:
    was, now = two_runs(tmp_path, SMALL)
    _with_knob(tmp_path, now, **knob)
    row = _compared(tmp_path, was, now).table.filter(metric="scene", cell="a1.20-b5").row(0, named=True)
    assert (row["verdict"], "the knob differs" in row["reason"]) == (verdict, verdict != "same")


def _against(*references: str) -> Change:
    """The value of the whole cell once for each reference."""

    def of_each(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        whole = [row for row in rows if row["prompt_id"] is None]
        new = [
            row | {"set": f"all images, against {name}", "value": row["value"] + at}
            for at, name in enumerate(references)
            for row in whole
        ]
        return pa.Table.from_pylist([row for row in rows if row not in whole] + new, table.schema)

    return of_each


def test_two_references_are_two_rows(tmp_path: Path) -> None:
    was, now = two_runs(tmp_path, SMALL)
    for run in (was, now):
        alter(tmp_path, run, "group_scores", _against("A", "B"))
    found = _compared(tmp_path, was, now)
    rows = found.table.filter(metric="vendi", cell="baseline")
    assert rows.select("set", "verdict", "n").rows() == [
        ("all images, against A", "same", 1),
        ("all images, against B", "same", 1),
    ]
    assert rows["mean"][1] - rows["mean"][0] == pytest.approx(1)
    shown = rows_for_people(found.table)
    assert shown.filter(metric="vendi")["set"].null_count() == 0
    assert shown.filter(metric="diversity")["set"].unique().to_list() == [None]  # it has one
    assert set(found.to_arrow()["set"].to_pylist()) >= set(rows["set"])


def test_values_against_other_references_are_not_compared(tmp_path: Path) -> None:
    was, now = two_runs(tmp_path, SMALL)
    alter(tmp_path, was, "group_scores", _against("A"))
    alter(tmp_path, now, "group_scores", _against("B"))
    found = _compared(tmp_path, was, now)
    rows = found.table.filter(metric="vendi", cell="baseline")
    assert rows.select("verdict", "reason").rows() == [
        ("not comparable", "only the earlier run has it of all images, against A"),
        ("not comparable", "only the later run has it of all images, against B"),
    ]
    assert "it of all images, against B" in markdown(found, str(tmp_path))


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_values_that_disappeared_are_named(tmp_path: Path, device: str) -> None:
    """Of images that are there: eight of 32 as NULL, four without a row, and all of another cell."""
    was, now = two_runs(tmp_path, SMALL)

    def lose(table: pa.Table) -> pa.Table:
        rows = [row for row in table.to_pylist() if not (row["cell"] == "baseline" and row["prompt_id"] < "p00002")]
        table = pa.Table.from_pylist(rows, table.schema)
        return with_column("value", lambda row: None if _null(row) else row["value"])(table)

    def _null(row: dict[str, Any]) -> bool:
        return row["metric"] == "aesthetic" and (row["cell"] != "baseline" or row["prompt_id"] >= "p00012")

    alter(tmp_path, now, "scores", lose)
    alter(tmp_path, now, "group_scores", with_column("value", lambda row: None if _third(row) else row["value"]))
    alter(tmp_path, now, "samples", with_column("device", lambda row: device))
    table = _compared(tmp_path, was, now).table
    told = table.filter(metric="aesthetic").sort("cell").select("cell", "verdict", "n", "reason").rows()
    assert told == [
        ("a1.20-b5", "worse", 32, "32 of 32 pairs no longer have a value"),
        ("baseline", "worse", 32, "12 of 32 pairs no longer have a value"),
    ]
    assert table.filter(metric="scene", cell="baseline")["reason"][0] == "4 of 32 pairs no longer have a value"
    assert table.filter(metric="diversity", cell="baseline")["reason"][0] == "1 of 16 pairs no longer have a value"
    assert "no value" not in table.filter(metric="scene", cell="a1.20-b5")["reason"][0]
    for run in (was, now):
        alter(tmp_path, run, "scores", with_column("metric", lambda row: row["metric"].replace("scene", "leak")))
    leaked = _compared(tmp_path, was, now).table.filter(metric="leak", cell="baseline").row(0, named=True)
    assert (leaked["n"], "no value" in leaked["reason"]) == (28, False)  # it says nothing of some images


def _third(row: dict[str, Any]) -> bool:
    return (row["cell"], row["prompt_id"]) == ("baseline", "p00003")


def test_failed_images_have_no_value_that_disappeared(tmp_path: Path) -> None:
    lost = with_column("status", lambda row: "blank" if _third(row) else "ok")
    smaller = with_column("n", lambda row: row["n"] - _third(row))
    nothing = with_column("value", lambda row: None if _third(row) else row["value"])
    was, now = two_runs(tmp_path, SMALL, {"samples": lost, "scores": nothing})
    alter(tmp_path, now, "group_scores", lambda table: smaller(nothing(table)))
    table = _compared(tmp_path, was, now).table
    for metric, n in (("aesthetic", 30), ("diversity", 15)):
        assert table.filter(metric=metric, cell="baseline").select("verdict", "n").row(0) == ("same", n)


def test_sets_of_another_size_are_not_compared(tmp_path: Path) -> None:
    """One that a lost image left smaller is left out, beside others; where all are, the row says so."""
    was, now = two_runs(tmp_path, SMALL)
    alter(tmp_path, now, "group_scores", with_column("n", lambda row: row["n"] - _third(row)))
    row = _compared(tmp_path, was, now).table.filter(metric="diversity", cell="baseline").row(0, named=True)
    assert (row["verdict"], row["n"]) == ("same", 15)
    alter(tmp_path, now, "group_scores", with_column("n", lambda row: 1))
    table = _compared(tmp_path, was, now).table
    rows = table.filter(metric="diversity").select("verdict", "reason").rows()
    assert rows == [("not comparable", "sets of 2 and of 1 images")] * 2
    assert table.filter(metric="vendi")["reason"].to_list() == ["sets of 32 and of 1 images"] * 2
