"""Does the knob improve unstable samples and leave stable ones unchanged?"""

from skewbench.sql.columns import (
    BOOTSTRAP_LOW,
    BRANCH,
    CELL,
    FAILED,
    HIGH,
    KIND,
    METHOD,
    METRIC,
    PAIRS,
    RUN_ID,
    WORST_CASE,
)
from skewbench.sql.declaration import Column, Parameter, Query
from skewbench.vocabulary.measures import REGIME_MEASURES

QUERY = Query(
    package=__name__,
    name="regimes",
    source="The paper's regimes; unstable is low Align at baseline.",
    columns=(
        RUN_ID,
        CELL,
        METRIC,
        KIND,
        Column("measure", "VARCHAR", "the measure that splits"),
        Column("regime", "VARCHAR", "unstable, stable, or difference: unstable minus stable"),
        Column("baseline", "DOUBLE", "mean of the regime at baseline"),
        Column("change", "DOUBLE", "mean of cell minus baseline", signed=True),
        BOOTSTRAP_LOW,
        HIGH,
        METHOD,
        PAIRS,
        Column("prompts", "BIGINT", "prompts of these pairs; of a difference, those of the regime that has fewer"),
        FAILED,
        WORST_CASE,
    ),
    parameters=(
        Parameter(
            "quantile",
            "number",
            "the share in each regime, more than 0 and at most 0.5; default: 0.5, a split at the median",
        ),
        Parameter(
            "measure",
            "text",
            f"what stable means: {', '.join(REGIME_MEASURES)}; default: alignment",
        ),
        BRANCH,
    ),
    interval="interval:intervals",
    figure="figure:figure",
)
