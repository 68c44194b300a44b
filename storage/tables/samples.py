"""The table `samples`: the samples with their settings and status."""

from typing import get_args

import pyarrow as pa

from skewbench.storage.columns import IDS
from skewbench.storage.keys import GENERATION
from skewbench.storage.table import Table
from skewbench.vocabulary.metrics import Medium

_KNOB = (
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
)
KNOB_COLUMNS = tuple(field.name for field in _KNOB)
"""Columns for fields that a knob may have."""

SAMPLES = Table(
    name="samples",
    row="a sample: prompt, seed, setting, model, time, status",
    written_by=GENERATION,
    order=("cell", "prompt_id", "seed"),
    added={
        **{"prompt_challenge": 2, "setting": 6},
        **dict.fromkeys(("medium", "frames", "duration", "fps", "sampling_rate"), 8),
        **{"source": 9, "shared_calls": 12},
    },
    words={"status": ("ok", "nonfinite", "blank", "failed"), "medium": get_args(Medium)},
    schema=pa.schema(
        [
            *IDS,
            pa.field("noise_seed", pa.int64()),  # NULL: unknown, of an imported image
            pa.field("prompt", pa.string(), nullable=False),
            pa.field("prompt_category", pa.string()),
            pa.field("prompt_challenge", pa.string()),  # of PartiPrompts
            pa.field("shard", pa.string(), nullable=False),
            # the knob, flat
            pa.field("knob", pa.string(), nullable=False),  # its kind: vanilla, skew, temperature, ...; imported
            *_KNOB,
            pa.field("setting", pa.string()),  # JSON: the cell's knob and generation, defaults included
            # how it was generated
            pa.field("medium", pa.string()),  # NULL: image, in runs of version 7 and before
            pa.field("model", pa.string(), nullable=False),
            pa.field("revision", pa.string()),
            pa.field("source", pa.string()),  # of an imported image: its original name
            pa.field("dtype", pa.string()),  # NULL, as are steps and guidance: unknown, of an imported image
            pa.field("steps", pa.int32()),
            pa.field("guidance", pa.float64()),
            # its size; NULL: its medium has no such value
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("frames", pa.int32()),
            pa.field("duration", pa.float64()),  # seconds
            pa.field("fps", pa.float64()),
            pa.field("sampling_rate", pa.int32()),  # Hz
            pa.field("seconds", pa.float64()),  # of its batch, divided by the batch's size
            pa.field("shared_calls", pa.float64()),  # share of model calls that another cell's sample already had
            pa.field("peak_memory", pa.int64()),  # bytes on the device; NULL on a CPU
            pa.field("device", pa.string()),
            pa.field("torch_version", pa.string()),
            pa.field("diffusers_version", pa.string()),
            pa.field("skewbench_version", pa.string()),
            pa.field("status", pa.string(), nullable=False),
            pa.field("reason", pa.string()),  # why there is nothing usable
        ]
    ),
)
