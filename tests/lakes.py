"""Small, valid lakes with known answers, and big ones for tests of scale: `python -m tests.lakes LAKE --prompts 1000`.

What is in them: tests/lake_rows.py.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.tables import TABLES, VERSION
from tests import lake_rows
from tests.lake_rows import FEW, KNOBS, Lake

__all__ = ["FEW", "KNOBS", "Lake", "drop_table", "made", "make"]

PIECE = 2500
"""Prompts that are made at once."""


def make(folder: Path, lake: Lake | None = None) -> str:
    """Writes a run into the lake `folder` (made if it is not there) and returns its run_id."""
    lake = lake or Lake()
    rng = np.random.default_rng(lake.seed)
    parts = [part for piece in _pieces(lake) for part in _make_piece(folder, piece, rng)]
    _manifest(folder, lake, parts)
    return lake.run_id


def _pieces(lake: Lake) -> Iterator[Lake]:
    """The lake by ranges of prompts, so that a large one needs no more memory."""
    for first in range(0, lake.prompts, PIECE):
        prompts = min(PIECE, lake.prompts - first)
        shards = max(1, lake.shards * prompts // lake.prompts)
        yield replace(lake, first=first, prompts=prompts, shards=shards, lost=lake.lost and first == 0)


def _make_piece(folder: Path, lake: Lake, rng: np.random.Generator) -> list[dict[str, Any]]:
    samples = lake_rows.samples(lake)
    n = lake.prompts * lake.seeds
    easy = np.repeat(rng.normal(size=lake.prompts), lake.seeds)  # what a prompt's images share
    quality = np.tanh((easy + rng.normal(size=n)) / 2)
    parts: list[dict[str, Any]] = []
    for index, cell in enumerate(lake.knobs):
        rows = [row for row in samples if row["cell"] == cell]
        gain = lake.repair * (1 - quality) / 2 if index else np.zeros(n)
        better = quality + gain
        tables = {
            "samples": pa.Table.from_pylist(rows, TABLES["samples"].schema),
            "stability": lake_rows.stability(lake, rows, better, rng),
            "scores": lake_rows.scores(lake, rows, better, rng),
            "group_scores": lake_rows.group_scores(lake, cell, better, rng),
        }
        if lake.images:
            own = np.random.default_rng([lake.seed, index, lake.first] if lake.first else [lake.seed, index])
            tables["images"] = lake_rows.images(rows, better, own)
        for table, content in tables.items():
            parts += _write(folder, lake, table, cell, content)
    return parts


def made(folder: Path, lake: Lake, description: str = "A toy.", **changes: Any) -> str:
    """A lake with a manifest as the driver writes it; `changes` replace what it says. Returns the run's id."""
    run_id = make(folder, lake)
    path = folder / "_runs" / f"{run_id}.json"
    samples = lake.prompts * lake.seeds * len(lake.knobs)
    experiment = {"name": lake.name, "description": description, "metrics": ["scene", "diversity"]}
    written = {"identity": {}, "shards": 2, "samples": samples} | json.loads(path.read_text())
    path.write_text(json.dumps(written | {"experiment": experiment} | changes))
    return run_id


def drop_table(folder: Path, run_id: str, *tables: str) -> None:
    """The manifest no longer names these tables' parts."""
    path = folder / "_runs" / f"{run_id}.json"
    manifest = json.loads(path.read_text())
    manifest["parts"] = [part for part in manifest["parts"] if part["table"] not in tables]
    path.write_text(json.dumps(manifest))


def _write(folder: Path, lake: Lake, table: str, cell: str, content: pa.Table) -> list[dict[str, Any]]:
    content = content.drop_columns([name for name in lake.drop if name in content.column_names])
    where = folder / table / f"run_id={lake.run_id}"
    where.mkdir(parents=True, exist_ok=True)
    parts = []
    bounds = np.linspace(0, content.num_rows, lake.shards + 1).astype(int)
    for shard, (start, stop) in enumerate(pairwise(bounds)):
        name = lake_rows.digest(cell, shard, lake.first) if lake.first else lake_rows.digest(cell, shard)
        path = where / f"{name}-0.parquet"
        groups = TABLES[table].row_group
        pq.write_table(content.slice(start, stop - start), path, compression="zstd", row_group_size=groups)
        parts.append(
            {
                "table": table,
                "path": path.relative_to(folder).as_posix(),
                "rows": int(stop - start),
                "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "schema_version": VERSION - 1 if lake.drop else VERSION,
            }
        )
    return parts


def _manifest(folder: Path, lake: Lake, parts: list[dict[str, Any]]) -> None:
    if lake.status == "running":  # until it commits, its receipts name its parts
        receipts = folder / "_receipts" / f"run_id={lake.run_id}"
        receipts.mkdir(parents=True, exist_ok=True)
        for number, part in enumerate(parts):
            key = JobKey(TABLES[part["table"]].written_by or GENERATION, shard=f"{part['table']}-{number}")
            receipt = {"key": asdict(key), "run_id": lake.run_id, "parts": [part], "seconds": 1.0, "counts": {}}
            (receipts / f"{key.digest}.json").write_text(json.dumps(receipt))
        parts = []
    content = {
        "run_id": lake.run_id,
        "name": lake.name,
        "status": lake.status,
        "created": f"2026-01-01T00:00:{lake.seed % 60:02d}+00:00",
        "updated": "2026-01-01T00:01:00+00:00",
        "schema_version": VERSION,
        "experiment": {"name": lake.name},
        "cells": [{"name": cell, "knob": KNOBS.get(cell, {"kind": "vanilla"})} for cell in lake.knobs],
        "baseline": lake.knobs[0] if lake.knobs and lake.knobs[0] == "baseline" else None,
        "parts": parts,
        "metrics": lake_rows.declarations(lake),
        "missing_metrics": [{"metric": metric, "reason": "weights missing"} for metric in lake.missing],
    }
    (folder / "_runs").mkdir(parents=True, exist_ok=True)
    (folder / "_runs" / f"{lake.run_id}.json").write_text(json.dumps(content, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes a synthetic lake.")
    parser.add_argument("lake", type=Path)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=70)
    parser.add_argument("--steps", type=int, default=0, help="0: means alone")
    parser.add_argument("--cells", type=int, default=1, choices=range(1, len(KNOBS) + 1))
    parser.add_argument("--more", type=int, default=4, help="metrics beside the two of the small lakes")
    parser.add_argument("--images", action="store_true")
    asked = parser.parse_args()
    print(
        make(
            asked.lake,
            Lake(
                "big",
                asked.prompts,
                asked.seeds,
                asked.blocks,
                steps=asked.steps,
                images=asked.images,
                knobs=tuple(KNOBS)[: asked.cells],
                more=asked.more,
                missing=(),
            ),
        )
    )
