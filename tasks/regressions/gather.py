"""Pairs of two runs from the lake: the comparable cells, and the differences beyond rounding."""

import json
from dataclasses import dataclass

import duckdb
import polars as pl

from skewbench.eval.regressions import beyond_rounding, tolerance
from skewbench.eval.regressions.table import KEY

_SETTINGS = ("steps", "guidance", "width", "height", "frames", "duration")
_GENERATION = ("scheduler", "negative_prompt", "guidance_rescale", "clip_skip", "lora", "refiner")
_PLACES = {"lora": "path", "refiner": "id"}
"""Paths of files in a setting, which do not affect the numbers: the setting also has their digests."""
_PLATFORM = ("device", "torch_version", "diffusers_version", "dtype")
_SCORES = ("sample", "prompt", "cell")
_SCORE_SHARE = 1e-6
_MEMORY_SHARE = 1e-3

_PAIRS = """
    WITH known AS (
        SELECT * REPLACE (coalesce(stage, '') AS stage, coalesce("set", '') AS "set") FROM comparable_values
    ),
    ok AS (SELECT DISTINCT cell, pair_id AS unit FROM samples WHERE run_id = $now AND status = 'ok'),
    paired AS (
        SELECT cell, kind, stage, metric, "set", unit, prompt_id,
            was.value AS before, now.value AS value, was.n AS n_before, now.n AS n,
            CASE WHEN was.value IS NOT NULL THEN was.scorer END AS scorer_before,
            CASE WHEN now.value IS NOT NULL THEN now.scorer END AS scorer
        FROM (FROM known WHERE run_id = $now) AS now
        FULL JOIN (FROM known WHERE run_id = $was) AS was USING (cell, kind, stage, metric, "set", unit, prompt_id)
        WHERE was.value IS NOT NULL OR now.value IS NOT NULL
    )
    SELECT paired.* REPLACE (nullif(stage, '') AS stage, nullif("set", '') AS "set"),
        value IS NULL AND (ok.unit IS NOT NULL OR coalesce(n = n_before, false)) AS disappeared
    FROM paired LEFT JOIN ok ON ok.cell = paired.cell AND ok.unit = paired.unit AND kind IN ('sample', 'measure')
"""


@dataclass(frozen=True)
class Sides:
    """A cell in both runs. `obstacle`: why it cannot be compared; empty if it can."""

    cell: str
    alike: bool
    """Whether both runs used the same single device and the same versions."""
    unknown: bool
    """Whether a run has no known device, for instance because all its images failed."""
    obstacle: str
    dtype: str
    platform: str
    failed: int


def sides(connection: duckdb.DuckDBPyConnection, now: str, was: str) -> dict[str, Sides]:
    """Compare the settings and platforms of each cell of two runs.

    Args:
        connection: A connection to the lake's views.
        now: Id of the later run.
        was: Id of the earlier run.

    Returns:
        Every cell of either run by its name, in the order of the later run.
    """
    settings = {(run, cell): setting for run, cell, *setting in connection.execute(
        "SELECT run_id, cell, knob, settings, generation FROM cells WHERE run_id IN (?, ?) "
        "ORDER BY run_id <> ?, position",
        [now, was, now],
    ).fetchall()}  # fmt: skip
    columns = (*_SETTINGS, *_PLATFORM)
    seen: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in connection.execute(
        f"SELECT run_id, cell, {', '.join(columns)}, count(*) FILTER (status <> 'ok') AS failed "  # noqa: S608
        "FROM samples WHERE run_id IN (?, ?) GROUP BY ALL",
        [now, was],
    ).pl().to_dicts():  # fmt: skip
        seen.setdefault((row["run_id"], row["cell"]), []).append(row)
    found = {}
    of_run = {
        run: _platforms_of([row for (one, _), rows in seen.items() for row in rows if one == run]) for run in (was, now)
    }
    for cell in dict.fromkeys(cell for _, cell in settings):
        rows = [seen.get((run, cell), []) for run in (was, now)]
        platforms = [_platforms_of(side) or of_run[run] for run, side in zip((was, now), rows, strict=True)]
        failed = [sum(int(str(row["failed"])) for row in side) for side in rows]
        found[cell] = Sides(
            cell,
            alike=len(platforms[0]) == 1 and platforms[0] == platforms[1],
            unknown=not all(platforms),
            obstacle=_obstacle(settings.get((was, cell)), settings.get((now, cell)), *rows),
            dtype=str(rows[1][0]["dtype"] or "float32") if rows[1] else "float32",
            platform=_platforms(*platforms),
            failed=failed[1] - failed[0],
        )
    return found


def _platforms_of(rows: list[dict[str, object]]) -> set[tuple[object, ...]]:
    """Devices and versions of the rows; failed images, whose rows have no device, are left out."""
    return {tuple(row[name] for name in _PLATFORM) for row in rows if row["device"] is not None}


def _obstacle(
    was: list[str] | None,
    now: list[str] | None,
    rows_was: list[dict[str, object]],
    rows_now: list[dict[str, object]],
) -> str:
    if was is None or now is None:
        return f"only the {'later' if was is None else 'earlier'} run has this cell"
    if (was[0], json.loads(was[1])) != (now[0], json.loads(now[1])):
        return f"the knob differs: {was[0]} {was[1]} and {now[0]} {now[1]}"
    for name in _SETTINGS:
        values = [sorted({str(row[name]) for row in side}) for side in (rows_was, rows_now)]
        if values[0] and values[1] and values[0] != values[1]:
            return f"{name} differs: {', '.join(values[0])} and {', '.join(values[1])}"
    for name in _GENERATION:
        given = [_given(side[2], name) for side in (was, now)]
        if given[0] != given[1]:
            return f"{name} differs: {given[0]} and {given[1]}"
    return ""


def _given(generation: str | None, name: str) -> object:
    """A setting of generation; None: the pipeline's own, as in all runs before there was the setting."""
    value = json.loads(generation or "{}").get(name)
    return {key: part for key, part in value.items() if key != _PLACES[name]} if name in _PLACES and value else value


def _platforms(was: set[tuple[object, ...]], now: set[tuple[object, ...]]) -> str:
    """The differences in device and versions, in words; empty if there are none."""
    if bool(was) != bool(now):
        return f"device (known only for the {'earlier' if was else 'later'} run)"
    differences = []
    for i, name in enumerate(_PLATFORM):
        before, after = (sorted({str(one[i]) for one in side}) for side in (was, now))
        if before != after:
            differences.append(f"{name} {', '.join(before)} and {', '.join(after)}")
    return "; ".join(differences)


def pairs(
    connection: duckdb.DuckDBPyConnection, now: str, was: str, cells: dict[str, Sides], images: pl.DataFrame
) -> pl.DataFrame:
    """Join the values of both runs.

    Args:
        connection: A connection to both runs.
        now: Id of the later run.
        was: Id of the earlier run.
        cells: The cells of `sides`.
        images: The frame of `differences`: cell, unit, prompt_id, levels (largest difference of a pixel, of 255) and
            mean (over all pixels).

    Returns:
        One row per value, with `before` and `value` (NULL if a run has none), `moved` (whether they differ beyond
        rounding; NULL if unknown) and `disappeared` (the later run has the image, or as large a set, and other values
        of the metric, but not this one).
    """
    frame = connection.execute(_PAIRS, {"now": now, "was": was}).pl()
    frame = frame.sort(*KEY, "unit", nulls_last=True)
    absent = "SELECT DISTINCT metric FROM metrics WHERE may_be_absent AND run_id IN (?, ?)"
    may_be_absent = [metric for (metric,) in connection.execute(absent, [now, was]).fetchall()]
    elsewhere = pl.col("value").is_not_null().any().over(KEY[1:])
    frame = frame.with_columns(disappeared=pl.col("disappeared") & elsewhere & ~pl.col("metric").is_in(may_be_absent))
    parts = frame.partition_by(KEY, maintain_order=True)
    moved = [_moved(part, cells[str(part["cell"][0])], images) for part in parts]
    return pl.concat(moved) if moved else frame.with_columns(moved=pl.lit(None, pl.Boolean))


def _moved(part: pl.DataFrame, cell: Sides, images: pl.DataFrame) -> pl.DataFrame:
    """The rows of one metric of a cell, with `moved`."""
    kind, metric = part["kind"][0], part["metric"][0]
    if not cell.alike and not (cell.unknown and kind == "lost"):
        return part.with_columns(moved=pl.lit(None, pl.Boolean))
    share = {"lost": 0.0, "memory": _MEMORY_SHARE, "measure": tolerance(cell.dtype, metric)}.get(kind, _SCORE_SHARE)
    both = part["before"].is_not_null() & part["value"].is_not_null()
    before, value = (part[name].fill_null(float("nan")).to_numpy() for name in ("before", "value"))
    moved = pl.Series("moved", beyond_rounding(before, value, share), pl.Boolean)
    part = part.with_columns(moved=pl.when(both).then(moved))
    return _excuse(part, images) if kind in _SCORES else part


def _excuse(part: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Explain a changed score by rounding if its images differ by rounding; equal images excuse nothing."""
    of = {"sample": "unit", "prompt": "prompt_id", "cell": "cell"}[part["kind"][0]]
    key = "unit" if of == "cell" else of
    rounded = (
        images.filter(cell=part["cell"][0])
        .group_by(pl.col(of).alias(key))
        .agg(rounded=(pl.col("moved").any().not_() & (pl.col("levels") > 0).any()))
    )
    joined = part.join(rounded, on=key, how="left", maintain_order="left")
    return joined.with_columns(moved=pl.col("moved") & pl.col("rounded").fill_null(False).not_()).drop("rounded")


def image_pairs(images: pl.DataFrame) -> pl.DataFrame:
    """Return the differences of images as pairs: from 0 to the mean difference of a pixel, in levels of 255.

    Args:
        images: Result of `differences`.
    """
    return images.select(
        "cell",
        pl.lit("picture").alias("kind"),
        pl.lit(None, pl.String).alias("stage"),
        pl.lit("picture").alias("metric"),
        pl.lit(None, pl.String).alias("set"),
        "unit",
        "prompt_id",
        pl.lit(0.0).alias("before"),
        pl.col("mean").alias("value"),
        "moved",
    )
