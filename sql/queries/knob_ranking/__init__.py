"""Which setting should I ship?"""

from skewbench.sql.columns import CATEGORY, CELL, FAMILY, HIGH, KIND, LOST, LOW, METRIC, PAIRS, RUN_ID, SETTINGS
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="knob_ranking",
    source="The project's; the paper compares settings metric by metric.",
    columns=(
        RUN_ID,
        Column("category", "VARCHAR", "the category of prompts; NULL: all prompts"),
        CELL,
        FAMILY,
        SETTINGS,
        METRIC,
        KIND,
        Column("rank", "DOUBLE", "place among the run's cells, 1 is best; ties by average"),
        Column("mean_rank", "DOUBLE", "mean of rank over the metrics"),
        Column("better", "BIGINT", "metrics whose interval lies above 0"),
        Column("worse", "BIGINT", "metrics whose interval lies below 0"),
        Column("gain", "DOUBLE", "paired change, its sign turned where less is better", signed=True),
        LOW,
        HIGH,
        Column("gain_sd", "DOUBLE", "gain in standard deviations of the baseline", signed=True),
        Column("wins", "DOUBLE", "share of pairs that got better, ties half"),
        PAIRS,
        LOST,
        Column(
            "worst_case",
            "DOUBLE",
            "gain, with the worst value of the metric in the run for each image that failed",
            signed=True,
        ),
    ),
    parameters=(CATEGORY,),
)
