"""Did a build change anything?"""

from skewbench.sql.columns import AGAINST, CELL, HIGH, RUN_ID
from skewbench.sql.declaration import Column, Parameter, Query

QUERY = Query(
    package=__name__,
    name="regressions",
    source="This project.",
    columns=(
        RUN_ID,
        AGAINST,
        Column("baseline", "VARCHAR", "name of the baseline"),
        Column("night", "VARCHAR", "scheduled time of the night"),
        Column("verdict", "VARCHAR", "worse, changed, better, inconclusive, not comparable or same"),
        Column("reason", "VARCHAR", "why"),
        Column("required", "BOOLEAN", "whether the night fails if it is worse"),
        CELL,
        Column(
            "kind",
            "VARCHAR",
            "what is compared: sample, prompt, cell, measure, picture (pixels), lost (failed images), memory or speed",
        ),
        Column("metric", "VARCHAR", "the metric or measure"),
        Column("stage", "VARCHAR", "stage of a measure: down, mid, up or all"),
        Column("set", "VARCHAR", "definition of the set of a metric of sets, with the reference"),
        Column("before", "DOUBLE", "mean of the earlier run"),
        Column("mean", "DOUBLE", "mean of this run"),
        Column("change", "DOUBLE", "this run minus the earlier one", signed=True),
        Column("low", "DOUBLE", "lower end of the 95% interval of the change"),
        HIGH,
        Column("p", "DOUBLE", "p-value of no change"),
        Column("q", "DOUBLE", "p, adjusted over the table"),
        Column("margin", "DOUBLE", "allowed change"),
        Column("equivalence", "DOUBLE", "p-value of the equivalence test: small if the change lies within the margin"),
        Column("n", "BIGINT", "pairs; for speed, nights or interleaved runs"),
        Column("prompts", "BIGINT", "prompts of the pairs"),
        Column("moved", "BIGINT", "pairs that differ beyond rounding"),
        Column("step", "INTEGER", "the first step that differs"),
        Column("block", "INTEGER", "the first block that differs"),
        Column("block_name", "VARCHAR", "the block's name in the model"),
        Column("better", "VARCHAR", "the better side: higher or lower"),
        Column("method", "VARCHAR", "the test"),
    ),
    parameters=(
        Parameter("verdict", "verdict", "rows of one verdict, such as worse; default: all"),
        Parameter("cell", "cell", "rows of one cell; default: all"),
    ),
)
