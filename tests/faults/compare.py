"""Two lakes of the same run, row for row. Reads manifests and Parquet files, with nothing of the product."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

LEFT_OUT = {"seconds", "shared_calls", "peak_memory", "device", "parts_digest"}
"""Columns that say how the run went, not what came out. (`parts_digest` covers the bytes of the other columns here.)"""
_KEYS = {
    "samples": ("sample_id",),
    "images": ("sample_id",),
    "stability": ("sample_id", "block", "branch"),
    "scores": ("sample_id", "metric"),
    "group_scores": ("cell", "prompt_id", "set", "metric"),
}
ROUNDING = 1e-4
"""Relative: what another size of batch may change in float32. Images: two levels of 255."""
FLOOR = 1e-6
"""Absolute, for values near 0."""
FLOOR_OF = {
    "instability": 1e-3,
    "instability_steps": 1e-3,
    "energy": 1e-3,
    "energy_steps": 1e-3,
    "analysis": 1e-5,
}
"""Absolute, for a column or a table. Instability counts signs, and one of thousands may turn. Energies are of the size
of 10 with both signs, so that a step's, or the mean of all, may be near 0. An answer's differences of means are far
smaller than the scores that they are made of, whose rows are compared themselves."""


def rows(lake: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of the lake's one run, by table, through its manifest."""
    (path,) = (lake / "_runs").glob("*.json")
    found: dict[str, list[dict[str, Any]]] = {}
    for part in json.loads(path.read_text())["parts"]:
        table = pq.read_table(lake / part["path"], partitioning=None)
        kept = table.select([name for name in table.column_names if name not in LEFT_OUT])
        found.setdefault(part["table"], []).extend(_sorted_columns(kept))
    return found


def strays(lake: Path) -> list[str]:
    """Parts that the manifest does not name, and files that are no whole Parquet."""
    (path,) = (lake / "_runs").glob("*.json")
    named = {part["path"] for part in json.loads(path.read_text())["parts"]}
    there = {file.relative_to(lake).as_posix() for file in lake.rglob("*.parquet")}
    return sorted(there ^ named)


def differences(lake: Path, undisturbed: Path) -> dict[str, int]:
    """How many rows are lost, doubled or new, differ, and differ by rounding alone; files that are not named."""
    found, expected = rows(lake), rows(undisturbed)
    counts = Counter({"strays": len(strays(lake))})
    for table in expected.keys() | found.keys():
        keys = _KEYS.get(table)
        ours, theirs = _keyed(found.get(table, []), keys), _keyed(expected.get(table, []), keys)
        counts["lost"] += len(theirs.keys() - ours.keys())
        counts["new"] += len(ours.keys() - theirs.keys())
        for key in ours.keys() & theirs.keys():
            one, other = sorted(ours[key]), sorted(theirs[key])
            counts["doubled"] += max(0, len(one) - len(other))
            counts["lost"] += max(0, len(other) - len(one))
            for mine, expected_row in zip(one, other, strict=False):
                if mine != expected_row:
                    counts["rounding" if _close(mine, expected_row, table) else "different"] += 1
    return {name: count for name, count in counts.items() if count}


def _sorted_columns(table: pa.Table) -> list[dict[str, Any]]:
    return [dict(sorted(row.items())) for row in table.to_pylist()]


def _keyed(rows: list[dict[str, Any]], keys: tuple[str, ...] | None) -> dict[str, list[str]]:
    """Rows as JSON, by their key; without keys (`analysis`) by everything in them that is not a float."""
    found: dict[str, list[str]] = {}
    for row in rows:
        key = {name: row[name] for name in keys} if keys else {k: v for k, v in row.items() if not _floats(v)}
        found.setdefault(json.dumps(key, default=str), []).append(json.dumps(row, default=_bytes))
    return found


def _floats(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, list) and any(_floats(inner) for inner in value))


def _bytes(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _close(ours: str, theirs: str, table: str) -> bool:
    return _values_close(json.loads(ours), json.loads(theirs), FLOOR_OF.get(table, FLOOR))


def _values_close(one: Any, other: Any, floor: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=ROUNDING, atol=floor, equal_nan=True))
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() == other.keys() == {"bytes", "path"}:
            return one["path"] == other["path"] and _images_close(one["bytes"], other["bytes"])
        return one.keys() == other.keys() and all(
            _values_close(one[name], other[name], FLOOR_OF.get(name, floor)) for name in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_values_close(a, b, floor) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _images_close(one: str, other: str) -> bool:
    first, second = (np.asarray(Image.open(io.BytesIO(bytes.fromhex(image)))).astype(int) for image in (one, other))
    return first.shape == second.shape and int(np.abs(first - second).max()) <= 2
