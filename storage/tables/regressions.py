"""The table `regressions`: a run against an earlier one."""

import pyarrow as pa

from skewbench.storage.table import Table
from skewbench.vocabulary.verdicts import VERDICTS

REGRESSIONS = Table(
    name="regressions",
    row="a metric or measure of a cell: the verdict against an earlier run ([nightly.md](nightly.md))",
    written_by=None,
    derived_from=("samples", "images", "audio", "video", "stability", "scores", "group_scores"),
    since=3,
    added={"set": 4},
    words={
        "kind": ("sample", "prompt", "cell", "measure", "picture", "lost", "memory", "speed"),
        "better": ("higher", "lower"),  # NULL: neither
        "verdict": VERDICTS,
    },
    schema=pa.schema(
        [
            pa.field("against", pa.string(), nullable=False),  # the run that it is compared with
            pa.field("baseline", pa.string()),  # the name by which that run was found
            pa.field("night", pa.string()),  # the scheduled time of a nightly run
            # the key of a row
            pa.field("cell", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),  # what is compared
            pa.field("metric", pa.string(), nullable=False),  # or measure
            pa.field("stage", pa.string()),  # of a measure: down, mid, up, all
            pa.field("set", pa.string()),  # of a metric of a set: its definition, with the reference
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
            pa.field("step", pa.int32()),  # the first step that differs
            pa.field("block", pa.int32()),
            pa.field("block_name", pa.string()),
            # the judgement
            pa.field("better", pa.string()),  # which side of the metric
            pa.field("required", pa.bool_(), nullable=False),
            pa.field("verdict", pa.string(), nullable=False),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("method", pa.string(), nullable=False),
        ]
    ),
)
