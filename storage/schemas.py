"""One pyarrow schema a table of the lake. Changes only add columns (nullable), and raise `VERSION`.

`run_id` is a folder of the path (`run_id=<run_id>`), and stands in each file's metadata; it is no column of the files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from skewbench.vocabulary.measures import CONTROLS, MEASURES, NAMES

VERSION = max(6, *(measure.since for measure in MEASURES))
"""Stored in each receipt and manifest part, and in each file's metadata."""

MEASURE_FIELDS = [
    *(pa.field(name, pa.float32()) for name in (*NAMES, *CONTROLS)),  # means over steps, heads, columns
    pa.field("steps", pa.list_(pa.int16())),  # the recorded calls, from 0
    *(pa.field(f"{name}_steps", pa.list_(pa.float32())) for name in (*NAMES, *CONTROLS)),
    *(pa.field(f"{name}_heads", pa.list_(pa.list_(pa.float32()))) for name in NAMES),  # steps x heads
]
"""Columns of what a recorder keeps of a block: by measure, and of `CONTROLS` by sample and step."""

_IDS = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("pair_id", pa.string(), nullable=False),
    pa.field("cell", pa.string(), nullable=False),
    pa.field("prompt_id", pa.string(), nullable=False),
    pa.field("seed", pa.int32(), nullable=False),  # the index of the seed within its prompt
]

SAMPLES = pa.schema(
    [
        *_IDS,
        pa.field("noise_seed", pa.int64(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("prompt_category", pa.string()),
        pa.field("prompt_challenge", pa.string()),  # of PartiPrompts; from version 2 on
        pa.field("shard", pa.string(), nullable=False),
        # the knob, flat
        pa.field("knob", pa.string(), nullable=False),  # its kind: vanilla, skew, temperature, ...
        pa.field("alpha", pa.float64()),
        pa.field("beta", pa.float64()),
        pa.field("adapt_alpha", pa.string()),
        pa.field("adapt_beta", pa.bool_()),
        pa.field("eta_scope", pa.string()),
        pa.field("rescale", pa.string()),
        pa.field("tau", pa.float64()),
        pa.field("blocks", pa.string()),
        pa.field("window_start", pa.float64()),
        pa.field("window_end", pa.float64()),
        pa.field("setting", pa.string()),  # JSON: the cell's knob and generation, defaults included; from version 6 on
        # how it was generated
        pa.field("model", pa.string(), nullable=False),
        pa.field("revision", pa.string()),
        pa.field("dtype", pa.string(), nullable=False),
        pa.field("steps", pa.int32(), nullable=False),
        pa.field("guidance", pa.float64(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("seconds", pa.float64()),  # of its batch, divided by the batch's size
        pa.field("peak_memory", pa.int64()),  # bytes on the device; NULL on a CPU
        pa.field("device", pa.string()),
        pa.field("torch_version", pa.string()),
        pa.field("diffusers_version", pa.string()),
        pa.field("skewbench_version", pa.string()),
        pa.field("status", pa.string(), nullable=False),  # ok, nonfinite, blank, failed
        pa.field("reason", pa.string()),
    ]
)

IMAGES = pa.schema(
    [
        *_IDS,
        pa.field("image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])),
    ]
)

STABILITY = pa.schema(
    [
        *_IDS,
        pa.field("block", pa.int16(), nullable=False),  # the paper's number
        pa.field("block_name", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),  # down, mid, up
        pa.field("branch", pa.string(), nullable=False),  # cond, uncond
        *MEASURE_FIELDS,
    ]
)

SCORES = pa.schema(
    [
        *_IDS,
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("reason", pa.string()),  # why the value is NULL
        pa.field("scorer", pa.string(), nullable=False),
        pa.field("scorer_version", pa.int32(), nullable=False),
    ]
)

GROUP_SCORES = pa.schema(
    [
        pa.field("cell", pa.string(), nullable=False),
        pa.field("prompt_id", pa.string()),  # NULL: the set is the whole cell
        pa.field("set", pa.string(), nullable=False),  # the set's definition, in words
        pa.field("n", pa.int32(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("reason", pa.string()),
        pa.field("scorer", pa.string(), nullable=False),
        pa.field("scorer_version", pa.int32(), nullable=False),
    ]
)

ANALYSIS = pa.schema(
    [
        pa.field("query", pa.string(), nullable=False),
        # the key of a row, by the columns of the query; what does not apply is NULL
        pa.field("cell", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("stage", pa.string()),
        pa.field("measure", pa.string()),
        pa.field("regime", pa.string()),
        pa.field("branch", pa.string()),  # NULL: the mean of all; '*': the value does not depend on it
        # the answer
        pa.field("statistic", pa.string(), nullable=False),  # rho, mean, change, ...
        pa.field("value", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("method", pa.string(), nullable=False),  # how the interval was made, with resamples and level
        pa.field("parts_digest", pa.string()),  # of the parts that were analysed; from version 5 on
    ]
)

REGRESSIONS = pa.schema(  # a run against an earlier one; from version 3 on
    [
        pa.field("against", pa.string(), nullable=False),  # the run that it is compared with
        pa.field("baseline", pa.string()),  # the name by which that run was found
        pa.field("night", pa.string()),  # the scheduled time of a nightly run
        # the key of a row
        pa.field("cell", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # sample, prompt, cell, measure, image, lost, memory, speed
        pa.field("metric", pa.string(), nullable=False),  # or measure
        pa.field("stage", pa.string()),  # of a measure: down, mid, up, all
        pa.field("set", pa.string()),  # of a metric of a set: its definition, with the reference; from version 4 on
        # the evidence
        pa.field("n", pa.int64(), nullable=False),  # pairs; of speed: nights, or rounds
        pa.field("prompts", pa.int64(), nullable=False),
        pa.field("before", pa.float64()),
        pa.field("mean", pa.float64()),
        pa.field("change", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("p", pa.float64()),
        pa.field("q", pa.float64()),
        pa.field("margin", pa.float64()),
        pa.field("equivalence", pa.float64()),  # p-value of two one-sided tests
        pa.field("moved", pa.int64()),  # pairs that differ beyond rounding; NULL where device or versions differ
        pa.field("step", pa.int32()),  # where they begin to
        pa.field("block", pa.int32()),
        pa.field("block_name", pa.string()),
        # the judgement
        pa.field("better", pa.string()),  # which side is: higher, lower; NULL: neither
        pa.field("required", pa.bool_(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),  # same, better, worse, changed, inconclusive, not comparable
        pa.field("reason", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "samples": SAMPLES,
    "images": IMAGES,
    "stability": STABILITY,
    "scores": SCORES,
    "group_scores": GROUP_SCORES,
    "analysis": ANALYSIS,
    "regressions": REGRESSIONS,
}

KNOB_COLUMNS = tuple(
    name for name in SAMPLES.names[SAMPLES.get_field_index("knob") + 1 : SAMPLES.get_field_index("setting")]
)
"""Columns of `samples` for fields that a knob may have."""


def table_of_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of a schema; columns that a row lacks are NULL.

    Args:
        rows: Values by column.
        schema: Of the table.

    Raises:
        ValueError: A row has a key that is no column. pyarrow would drop it without an error.
    """
    if unknown := sorted({name for row in rows for name in row}.difference(schema.names)):
        raise ValueError(f"rows have {', '.join(map(repr, unknown))}; the schema has no such column")
    return pa.Table.from_pylist(list(rows), schema=schema)
