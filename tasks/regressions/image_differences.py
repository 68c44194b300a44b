"""The images of two runs: by how much each pair differs."""

from collections.abc import Iterator

import duckdb
import numpy as np
import polars as pl

from skewbench import sql
from skewbench.eval.regressions import IMAGE_LEVELS
from skewbench.eval.scoring.images import CorruptSample, decode

_AT_ONCE = 512
"""Pairs of images that are held at a time."""
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


def differences(connection: duckdb.DuckDBPyConnection, lake: str, now: str, was: str) -> pl.DataFrame:
    """A row a pair of images that are both ok: the largest and the mean difference of a pixel, in levels of 255."""
    paired = connection.execute(_PAIRED, {"now": now, "was": was}).pl()
    parts = [paired[start : start + _AT_ONCE] for start in range(0, len(paired), _AT_ONCE)]
    return pl.DataFrame([row for part in parts for row in _some(lake, now, was, part)], schema=SCHEMA)


def _some(lake: str, now: str, was: str, paired: pl.DataFrame) -> Iterator[dict[str, object]]:
    ours, theirs = (
        sql.encoded_images(lake, now, paired["sample"]),
        sql.encoded_images(lake, was, paired["sample_before"]),
    )
    for row in paired.to_dicts():
        one, other = ours.get(row["sample"]), theirs.get(row["sample_before"])
        if one is None or other is None:
            continue
        levels, mean = (0.0, 0.0) if one == other else _apart(one, other)
        yield row | {"levels": levels, "mean": mean, "moved": levels > IMAGE_LEVELS}


def _apart(one: bytes, other: bytes) -> tuple[float, float]:
    """Largest and mean difference; the largest there is where an image cannot be read."""
    try:
        difference = np.abs(decode(one).astype(int) - decode(other).astype(int))
    except CorruptSample:
        return 255.0, 255.0
    return float(difference.max()), float(difference.mean())
