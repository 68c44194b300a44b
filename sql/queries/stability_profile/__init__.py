"""Where and when is a model stable?"""

from skewbench.sql.columns import BRANCH, CELL, RUN_ID, STAGE
from skewbench.sql.declaration import Column, Query
from skewbench.vocabulary.measures import CONTROLS, MEASURES

QUERY = Query(
    package=__name__,
    name="stability_profile",
    source="The paper's stages of SDXL; the profile by step is not in it.",
    columns=(
        RUN_ID,
        CELL,
        Column("block", "SMALLINT", "the paper's number of the block"),
        Column("block_name", "VARCHAR", "the block's name in the model"),
        STAGE,
        Column("step", "SMALLINT", "index of the model call, from 0; NULL: mean over the steps"),
        *(Column(measure.name, "DOUBLE", f"mean {measure.name}") for measure in MEASURES if measure.answer),
        *(Column(control, "DOUBLE", f"mean {control}, as it was applied") for control in CONTROLS),
        Column("n", "BIGINT", "samples"),
    ),
    parameters=(BRANCH,),
    figure="figure:figure",
)
