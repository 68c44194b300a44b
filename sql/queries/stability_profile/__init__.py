"""Where and when is a model stable?"""

from skewbench.sql.columns import BRANCH, CELL, RUN_ID, STAGE
from skewbench.sql.declaration import Column, Query

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
        Column("step", "SMALLINT", "the model's call, from 0; NULL: the mean over the steps"),
        Column("energy", "DOUBLE", "mean energy E"),
        Column("instability", "DOUBLE", "mean instability r"),
        Column("alignment", "DOUBLE", "mean Align"),
        Column("symmetry", "DOUBLE", "mean η"),
        Column("alpha_eff", "DOUBLE", "mean α that was applied"),
        Column("beta_eff", "DOUBLE", "mean β that was applied"),
        Column("n", "BIGINT", "samples"),
    ),
    parameters=(BRANCH,),
    figure="figure:figure",
)
