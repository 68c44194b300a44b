"""A run of a synthetic lake with the analysis that the driver would add."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from skewbench import sql
from skewbench.tasks.analyse import analyse


def store(folder: Path, run_id: str, branch: str | None = None, resamples: int = 200) -> pl.DataFrame:
    """Analyses the run and adds the answers to its manifest."""
    table = analyse(sql.connect(folder, run_id, branch=branch), run_id, resamples=resamples)
    part = f"analysis/run_id={run_id}/all-{branch}.parquet"
    (folder / part).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / part)
    manifest = folder / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    content["parts"].append(
        {"table": "analysis", "path": part, "rows": table.num_rows, "schema_version": 1, "bytes": 1, "sha256": ""}
    )
    manifest.write_text(json.dumps(content))
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
