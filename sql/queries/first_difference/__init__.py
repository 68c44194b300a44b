"""Where do two runs diverge?"""

from skewbench.sql.columns import AGAINST, CELL, EARLIER_RUN, RUN, RUN_ID, STAGE
from skewbench.sql.declaration import Column, Parameter, Query

QUERY = Query(
    package=__name__,
    name="first_difference",
    source="This project.",
    columns=(
        RUN_ID,
        AGAINST,
        CELL,
        STAGE,
        Column("measure", "VARCHAR", "the stability measure"),
        Column("step", "SMALLINT", "the first step that differs, from 0; NULL if a run recorded no steps"),
        Column("block", "SMALLINT", "the first block that differs in this step"),
        Column("block_name", "VARCHAR", "the block's name in the model"),
        Column("n", "BIGINT", "number of samples and branches that differ there"),
        Column("largest", "DOUBLE", "the largest absolute difference there; not finite if a value is not"),
    ),
    parameters=(
        RUN,
        EARLIER_RUN,
        Parameter(
            "tolerance",
            "number",
            "largest difference that counts as rounding, relative to the value or the block's usual one; default: 1e-3",
        ),
    ),
)
