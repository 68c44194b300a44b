"""Measures the difference of each pair of samples of two runs."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import polars as pl

from skewbench import sql
from skewbench.eval.regressions import IMAGE_LEVELS
from skewbench.eval.scoring.images import CorruptSample
from skewbench.tasks.media import MEDIA, MediaType
from skewbench.vocabulary.metrics import Medium

_BATCHES = 8
"""Number of scorer batches whose samples give the number of pairs in memory."""
SCHEMA = {
    "cell": pl.String,
    "unit": pl.String,
    "prompt_id": pl.String,
    "sample": pl.String,
    "sample_before": pl.String,
    "prompt": pl.String,
    "seed": pl.Int64,
    "levels": pl.Float64,
    "mean": pl.Float64,
    "moved": pl.Boolean,
}

_PAIRED = """
    SELECT now.cell, now.pair_id AS unit, now.prompt_id, now.sample_id AS sample, was.sample_id AS sample_before,
        now.prompt, now.seed
    FROM samples AS now JOIN samples AS was USING (cell, pair_id)
    WHERE now.run_id = $now AND was.run_id = $was AND now.status = 'ok' AND was.status = 'ok'
    ORDER BY now.cell, now.prompt_id, now.seed
"""


def differences(connection: duckdb.DuckDBPyConnection, lake: str, now: str, was: str, medium: Medium) -> pl.DataFrame:
    """Compare the samples of two runs value by value.

    Args:
        connection: A connection to the lake's views.
        lake: Folder or URL of the lake.
        now: Id of the later run.
        was: Id of the earlier run.
        medium: Medium of both runs.

    Returns:
        One row for each pair of samples that are both ok: the largest and the mean difference of a value, in levels of
        255.
    """
    paired = connection.execute(_PAIRED, {"now": now, "was": was}).pl()
    kind = MEDIA[medium]
    at_once = _BATCHES * kind.at_once
    parts = [paired[start : start + at_once] for start in range(0, len(paired), at_once)]
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    files_now, files_was = (
        sql.SampleFiles(lake, run, kind.table.name, (kind.file, *kind.beside)) for run in (now, was)
    )
    return pl.DataFrame([row for part in parts for row in _some(files_now, files_was, part, kind)], schema=SCHEMA)


def _some(
    now: sql.SampleFiles, was: sql.SampleFiles, paired: pl.DataFrame, medium: MediaType
) -> Iterator[dict[str, object]]:
    ours, theirs = now.read(paired["sample"]), was.read(paired["sample_before"])
    for row in paired.to_dicts():
        one, other = ours.get(row["sample"]), theirs.get(row["sample_before"])
        if one is None or other is None:
            continue
        levels, mean = (0.0, 0.0) if one == other else _apart(medium, one, other)
        yield row | {"levels": levels, "mean": mean, "moved": levels > IMAGE_LEVELS}


def _apart(medium: MediaType, one: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
    """Return the largest and the mean difference; the largest possible one if a sample cannot be read."""
    try:
        first, second = (
            medium.levels(medium.decode({**row, medium.file: {"bytes": row[medium.file]}})) for row in (one, other)
        )
        difference = np.abs(np.subtract(first, second, dtype=np.float64))
    except CorruptSample:
        return 255.0, 255.0
    return float(difference.max()), float(difference.mean())
