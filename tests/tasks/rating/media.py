"""Toy runs of sound and video."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skewbench.storage.tables import TABLES
from tests import lake_rows
from tests.lakes import Lake, drop_table, made


def with_medium(folder: Path, lake: Lake, medium: str, files: list[bytes], beside: dict[str, Any]) -> str:
    """A run of another medium than images.

    Args:
        folder: The lake.
        lake: The run.
        medium: `audio` or `video`.
        files: Encoded samples, which the run's samples share in turn.
        beside: Further columns of the medium's table.
    """
    run_id = made(folder, lake, identity={"medium": medium})
    drop_table(folder, run_id, "images")
    rows = [
        {name: row[name] for name in ("sample_id", "pair_id", "cell", "prompt_id", "seed")}
        | {medium: {"bytes": files[at % len(files)], "path": "sample"}, **beside}
        for at, row in enumerate(lake_rows.samples(lake))
    ]
    path = folder / medium / f"run_id={run_id}" / "all-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, TABLES[medium].schema), path)
    part = {"table": medium, "path": path.relative_to(folder).as_posix(), "rows": len(rows), "schema_version": 8}
    part |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    manifest = folder / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    content["parts"].append(part)
    manifest.write_text(json.dumps(content))
    return run_id
