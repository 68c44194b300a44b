"""Did last night's build change anything?"""

from skewbench.sql.columns import (
    AGAINST,
    CELL,
    EARLIER_RUN,
    HIGH,
    KIND_OR_MEASURE,
    LOW,
    METHOD,
    METRIC_OR_ALIGN,
    PAIRS,
    RUN,
    RUN_ID,
)
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="run_changes",
    source="This project.",
    columns=(
        RUN_ID,
        AGAINST,
        CELL,
        Column("same_knob", "BOOLEAN", "whether the cell's setting is the same in both runs"),
        METRIC_OR_ALIGN,
        KIND_OR_MEASURE,
        Column("before", "DOUBLE", "mean of the earlier run over the pairs"),
        Column("mean", "DOUBLE", "mean of this run over the pairs"),
        Column("change", "DOUBLE", "this run minus the earlier one", signed=True),
        LOW,
        HIGH,
        Column("error", "DOUBLE", "standard error of the change"),
        METHOD,
        PAIRS,
        Column("failed", "BIGINT", "samples of the cell that failed (failed, blank or not finite) in this run"),
        Column("failed_before", "BIGINT", "samples of the cell that failed in the earlier run"),
    ),
    parameters=(
        RUN,
        EARLIER_RUN,
    ),
    figure="figure:figure",
)
