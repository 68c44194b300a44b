"""The campaign's comparison sees what it is there to see."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.compare import differences

Rows = list[dict[str, object]]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """One table of one run, as far as the comparison looks."""
    rows = [{"sample_id": f"s{i}", "metric": "contrast", "value": i / 3, "seconds": 1.0} for i in range(4)]
    _write(tmp_path / "lake", rows)
    return tmp_path / "lake"


def _write(lake: Path, rows: Rows, table: str = "scores") -> None:
    path = f"{table}/run_id=r/s-a.parquet"
    (lake / path).parent.mkdir(parents=True, exist_ok=True)
    (lake / "_runs").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), lake / path)
    (lake / "_runs/r.json").write_text(json.dumps({"parts": [{"table": table, "path": path}]}))


def _changed(rows: Rows, value: float) -> Rows:
    return [{**rows[0], "value": value}, *rows[1:]]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda rows: rows, {}),
        (lambda rows: rows[::-1], {}),
        (lambda rows: [{**row, "seconds": 2.0} for row in rows], {}),
        (lambda rows: rows[1:], {"lost": 1}),
        (lambda rows: [*rows, rows[0]], {"doubled": 1}),
        (lambda rows: [*rows, {**rows[0], "sample_id": "s9"}], {"new": 1}),
        (lambda rows: _changed(rows, 0.5), {"different": 1}),
        (lambda rows: _changed(rows, 1e-9), {"rounding": 1}),
    ],
)
def test_each_kind_of_difference_is_seen(
    lake: Path,
    tmp_path: Path,
    change: Callable[[list[dict[str, object]]], list[dict[str, object]]],
    found: dict[str, int],
) -> None:
    rows = pq.read_table(lake / "scores/run_id=r/s-a.parquet", partitioning=None).to_pylist()
    _write(tmp_path / "other", change(rows))
    assert differences(tmp_path / "other", lake) == found


@pytest.mark.parametrize(
    ("table", "column", "value", "other", "found"),
    [
        ("stability", "instability", 0.515625, 0.515869, {"rounding": 1}),  # one sign of thousands turned
        ("stability", "instability", 0.5156, 0.52, {"different": 1}),
        ("stability", "alignment", 0.5156, 0.5159, {"different": 1}),
        ("stability", "energy", 0.5404, 0.54076, {"rounding": 1}),  # the difference of two numbers of the size of 10
        ("stability", "energy", 0.5404, 0.5424, {"different": 1}),
        ("analysis", "value", -4.005e-05, -4.151e-05, {"rounding": 1}),  # a difference of means of scores
        ("scores", "value", -4.005e-05, -4.251e-05, {"different": 1}),
    ],
)
def test_how_far_rounding_goes(
    tmp_path: Path, table: str, column: str, value: float, other: float, found: dict[str, int]
) -> None:
    row = {"sample_id": "s", "block": 1, "branch": "cond", "metric": "contrast"}
    for name, its_value in (("one", value), ("other", other)):
        _write(tmp_path / name, [{**row, column: its_value}], table)
    assert differences(tmp_path / "other", tmp_path / "one") == found


def test_files_that_no_manifest_names_are_seen(lake: Path, tmp_path: Path) -> None:
    shutil.copytree(lake, tmp_path / "other")
    part = tmp_path / "other/scores/run_id=r/s-a.parquet"
    shutil.copy(part, part.with_name("s-b.parquet"))
    assert differences(tmp_path / "other", lake) == {"strays": 1}
