"""A filter for a cell reaches the files: a query about one cell does not read and sort the values of all cells."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skewbench import sql
from tests.lakes import Lake, made

LARGE = ({"sample_id", "value"}, {"stage", "alignment"})
"""Columns that reads of the tables `scores` and `stability` have."""
CELL = "a1.20-b5"


def nodes(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in plan:
        yield node
        yield from nodes(node["children"])


@pytest.mark.parametrize("view", ["scores", "metric_values", "stage_stability", "unit_values", "unit_changes"])
def test_reads_of_large_tables_filter_by_cell(tmp_path: Path, view: str) -> None:
    made(tmp_path, Lake(images=False, knobs=("baseline", "a1.05-b3", CELL)))
    connection = sql.connect(tmp_path)
    explained = connection.execute(f"EXPLAIN (FORMAT json) SELECT * FROM {view} WHERE cell = '{CELL}'").fetchall()
    reads = [node["extra_info"] for node in nodes(json.loads(explained[0][1])) if "PARQUET" in node["name"]]
    large = [read for read in reads if any(columns <= set(read["Projections"]) for columns in LARGE)]
    assert large
    cells = {CELL, "baseline"} if view == "unit_changes" else {CELL}  # a change is one from the baseline
    for read in large:
        assert any(f"cell='{cell}'" in read.get("Filters", "") for cell in cells), read
