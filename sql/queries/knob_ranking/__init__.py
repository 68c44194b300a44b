"""Which setting is best?"""

from skewbench.sql.columns import CATEGORY, CELL, FAILED, FAMILY, HIGH, KIND, LOW, METRIC, PAIRS, RUN_ID, SETTINGS
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="knob_ranking",
    source="This project; the paper compares settings metric by metric.",
    columns=(
        RUN_ID,
        Column("category", "VARCHAR", "the category of prompts; NULL: all prompts"),
        CELL,
        FAMILY,
        SETTINGS,
        METRIC,
        KIND,
        Column("rank", "DOUBLE", "rank among the run's cells: 1 is best, ties get the average rank"),
        Column("mean_rank", "DOUBLE", "mean of rank over the metrics"),
        Column("better", "BIGINT", "number of metrics whose interval lies above 0"),
        Column("worse", "BIGINT", "number of metrics whose interval lies below 0"),
        Column("gain", "DOUBLE", "paired change, with the opposite sign if lower is better", signed=True),
        LOW,
        HIGH,
        Column("gain_sd", "DOUBLE", "gain in standard deviations of the baseline", signed=True),
        Column("wins", "DOUBLE", "share of pairs that got better, ties half"),
        PAIRS,
        FAILED,
        Column(
            "worst_case",
            "DOUBLE",
            "gain if each failed image counts as the worst value in the run",
            signed=True,
        ),
    ),
    parameters=(CATEGORY,),
)
