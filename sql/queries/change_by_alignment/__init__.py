"""How does the change depend on the stability of the baseline?"""

from skewbench.sql.columns import BRANCH_OF_ALIGN, CELL, METRIC, RUN_ID
from skewbench.sql.declaration import OF_AN_IMAGE, Column, Parameter, Query

QUERY = Query(
    package=__name__,
    name="change_by_alignment",
    source="The paper's regimes, without the split in two.",
    columns=(
        RUN_ID,
        CELL,
        METRIC,
        Column("pair_id", "VARCHAR", "the pair: prompt, noise and size"),
        Column("prompt_id", "VARCHAR", "the prompt"),
        Column("alignment", "DOUBLE", "Align of the baseline's image, over all blocks"),
        Column("baseline", "DOUBLE", "value of the baseline's image"),
        Column("change", "DOUBLE", "cell minus baseline", signed=True),
    ),
    parameters=(
        Parameter("metric", "metric", "a metric of an image; default: the run's main one", OF_AN_IMAGE),
        BRANCH_OF_ALIGN,
    ),
    figure="figure:figure",
)
