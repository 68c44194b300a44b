"""What does each setting do to each metric, and to Align?"""

from skewbench.sql.columns import (
    BOOTSTRAP_LOW,
    BRANCH_OF_ALIGN,
    CATEGORY,
    CELL,
    FAILED,
    FAMILY,
    HIGH,
    KIND_OR_MEASURE,
    METHOD,
    METRIC_OR_ALIGN,
    PAIRS,
    RUN_ID,
    SETTINGS,
    WORST_CASE,
)
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="static_effect",
    source="The paper's table of the static knob.",
    columns=(
        RUN_ID,
        CELL,
        FAMILY,
        SETTINGS,
        Column("category", "VARCHAR", "the category of prompts; NULL: all prompts"),
        METRIC_OR_ALIGN,
        KIND_OR_MEASURE,
        Column("baseline", "DOUBLE", "mean at baseline over the pairs"),
        Column("mean", "DOUBLE", "mean of the cell over the pairs"),
        Column("change", "DOUBLE", "cell minus baseline", signed=True),
        BOOTSTRAP_LOW,
        HIGH,
        METHOD,
        Column("median_change", "DOUBLE", "median of the pairs' changes", signed=True),
        Column("baseline_sd", "DOUBLE", "standard deviation at baseline"),
        Column("wins", "DOUBLE", "share of pairs that got better, ties half; NULL without a better side"),
        PAIRS,
        Column("prompts", "BIGINT", "prompts of the pairs"),
        FAILED,
        WORST_CASE,
    ),
    parameters=(
        CATEGORY,
        BRANCH_OF_ALIGN,
    ),
    interval="interval:intervals",
    figure="figure:figure",
)
