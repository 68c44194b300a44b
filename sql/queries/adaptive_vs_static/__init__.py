"""Does the adaptive rule beat the static knob of the same strength?"""

from skewbench.sql.columns import (
    BOOTSTRAP_LOW,
    BRANCH_OF_ALIGN,
    HIGH,
    KIND_OR_MEASURE,
    METHOD,
    METRIC_OR_ALIGN,
    PAIRS,
    RUN_ID,
)
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="adaptive_vs_static",
    source="The paper's table of the adaptive rule.",
    columns=(
        RUN_ID,
        Column("cell", "VARCHAR", "the adaptive cell"),
        Column("static_cell", "VARCHAR", "the static cell of the same strength"),
        Column("alpha", "DOUBLE", "base alpha of both"),
        Column("beta", "DOUBLE", "base beta of both"),
        Column("adapt_alpha", "VARCHAR", "rule for alpha: off, dev or scale"),
        Column("adapt_beta", "BOOLEAN", "whether beta adapts"),
        METRIC_OR_ALIGN,
        KIND_OR_MEASURE,
        Column("static", "DOUBLE", "mean over the pairs in the static cell"),
        Column("adaptive", "DOUBLE", "mean over the pairs in the adaptive cell"),
        Column("change", "DOUBLE", "adaptive minus static", signed=True),
        BOOTSTRAP_LOW,
        HIGH,
        METHOD,
        PAIRS,
        Column("static_failed", "BIGINT", "samples of the static cell that failed (failed, blank or not finite)"),
        Column("adaptive_failed", "BIGINT", "samples of the adaptive cell that failed"),
    ),
    parameters=(BRANCH_OF_ALIGN,),
    interval="interval:intervals",
)
