"""The table `analysis`: the named queries' answers with their bootstrap intervals."""

import pyarrow as pa

from skewbench.storage.table import Table

ANALYSIS = Table(
    name="analysis",
    row="a value of a named query's answer, with its bootstrap interval",
    written_by=None,
    derived_from=("samples", "stability", "scores", "group_scores"),
    added={"parts_digest": 5},
    schema=pa.schema(
        [
            pa.field("query", pa.string(), nullable=False),
            # the key of a row, by the columns of the query; columns that do not apply are NULL
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
            pa.field("parts_digest", pa.string()),  # of the parts that were analysed
        ]
    ),
)
