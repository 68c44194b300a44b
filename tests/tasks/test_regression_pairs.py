"""Which values of two runs are compared with one another, and which cannot be."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.experiment import NightlySpec
from tasks.lake.manifest import find_run
from tasks.lake.store import open_store
from tasks.regressions import Comparison, compare
from tasks.regressions.page import markdown, rows_for_people
from tests.lakes import Lake
from tests.tasks.two_runs import Change, alter, two_runs

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
            row | {"set": f"all pictures, against {name}", "value": row["value"] + at}
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
        ("all pictures, against A", "same", 1),
        ("all pictures, against B", "same", 1),
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
        ("not comparable", "only the earlier run has it of all pictures, against A"),
        ("not comparable", "only the later run has it of all pictures, against B"),
    ]
    assert "it of all pictures, against B" in markdown(found, str(tmp_path))
