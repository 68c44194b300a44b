"""Which samples failed, and why?"""

from skewbench.sql.columns import CELL, RUN_ID
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="failures",
    source="This project; the paper does not count failures.",
    columns=(
        RUN_ID,
        CELL,
        Column("status", "VARCHAR", "ok, nonfinite, blank or failed; NULL for a cell without samples"),
        Column("reason", "VARCHAR", "why a sample is not ok"),
        Column("samples", "BIGINT", "number of samples"),
        Column("share", "DOUBLE", "share of the cell's samples"),
        Column("prompts", "BIGINT", "number of their prompts"),
        Column("example", "VARCHAR", "sample_id of one of these samples"),
    ),
)
