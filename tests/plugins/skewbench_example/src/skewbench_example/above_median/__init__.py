"""How many images of each cell score above the median of the run?"""

from skewbench.sql.columns import BOOTSTRAP_LOW, CELL, HIGH, METHOD, METRIC, RUN_ID
from skewbench.sql.declaration import OF_AN_IMAGE, Column, Parameter, Query, Section

QUERY = Query(
    package=__name__,
    name="above_median",
    source="An example of a query in another package.",
    columns=(
        RUN_ID,
        CELL,
        METRIC,
        Column("share", "DOUBLE", "share of the cell's images that score above the median"),
        BOOTSTRAP_LOW,
        HIGH,
        METHOD,
        Column("n", "BIGINT", "images"),
    ),
    parameters=(Parameter("metric", "metric", "a metric of an image; default: the run's main one", OF_AN_IMAGE),),
    interval="interval:intervals",
    figure="figure:figure",
    section=Section(
        title="Which setting has the high scores?",
        explanation="A setting that changes nothing has half of its images above the median.",
        after="correlations",
        heading="Images above the median",
        needs=("metric",),
    ),
)
