"""The table `trials`: the path of a search to its chosen setting."""

import pyarrow as pa

from skewbench.storage.table import Table

TRIALS = Table(
    name="trials",
    row="a trial of a search, as estimated after a round ([tune.md](tune.md))",
    written_by=None,
    since=8,
    words={
        "phase": ("explore", "final", "held-out"),
        "feasible": ("yes", "unclear", "no"),
        "verdict": ("better", "not shown", "worse"),
    },
    schema=pa.schema(
        [
            pa.field("objective", pa.string(), nullable=False),
            pa.field("step", pa.int32(), nullable=False),  # place on the path, from 1
            pa.field("round", pa.int32(), nullable=False),
            pa.field("phase", pa.string(), nullable=False),
            pa.field("measured_in", pa.string(), nullable=False),  # the run of the round
            pa.field("trial", pa.string(), nullable=False),  # its cell in that run
            pa.field("words", pa.string(), nullable=False),
            pa.field("setting", pa.string(), nullable=False),  # the knob's, as JSON
            pa.field("metric", pa.string(), nullable=False),
            pa.field("gain", pa.float64()),  # mean paired change; positive is better
            pa.field("low", pa.float64()),  # 95%; 99% of the held-out measurement
            pa.field("high", pa.float64()),
            pa.field("n", pa.int64(), nullable=False),  # pairs
            pa.field("prompts", pa.int64(), nullable=False),
            pa.field("failed", pa.int64(), nullable=False),  # pairs whose image failed; each counts as the worst value
            pa.field("feasible", pa.string(), nullable=False),
            pa.field("bound", pa.string()),  # the one that is closest to being broken
            pa.field("slack", pa.float64()),  # distance of the mean from the bound, positive on the allowed side
            pa.field("slack_low", pa.float64()),
            pa.field("slack_high", pa.float64()),
            pa.field("chosen", pa.bool_(), nullable=False),
            pa.field("verdict", pa.string()),  # of the held-out measurement
            pa.field("reason", pa.string()),
        ]
    ),
)
