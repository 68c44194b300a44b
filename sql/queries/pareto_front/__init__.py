"""Which settings are on the Pareto front?"""

from skewbench.sql.columns import CELL, FAMILY, HIGH, METHOD, RUN_ID, SETTINGS
from skewbench.sql.declaration import OF_A_SET, OF_AN_IMAGE_WITH_A_SIDE, Column, Parameter, Query

QUERY = Query(
    package=__name__,
    name="pareto_front",
    source="This project; the paper shows the settings one by one.",
    columns=(
        RUN_ID,
        FAMILY,
        CELL,
        SETTINGS,
        Column("fidelity", "VARCHAR", "the metric of fidelity"),
        Column("diversity", "VARCHAR", "the metric of diversity"),
        Column("fidelity_mean", "DOUBLE", "the cell's mean in it"),
        Column("diversity_mean", "DOUBLE", "the cell's mean in it"),
        Column("fidelity_n", "BIGINT", "samples"),
        Column("diversity_n", "BIGINT", "prompts, or images for a metric of the cell"),
        Column("on_front", "BOOLEAN", "whether no other cell dominates this one"),
        Column("dominated_by", "VARCHAR", "a cell that dominates it"),
        Column("family_added", "DOUBLE", "share of the box that the family dominates and the baseline does not"),
        Column(
            "low",
            "DOUBLE",
            "lower end of the 95% interval of the share: bootstrap with a box per resample, if analysed",
        ),
        HIGH,
        METHOD,
        Column("reason", "VARCHAR", "why a family has no area"),
    ),
    parameters=(
        Parameter(
            "fidelity",
            "metric",
            "a metric of an image that has a better side; default: the run's main one",
            OF_AN_IMAGE_WITH_A_SIDE,
        ),
        Parameter("diversity", "metric", "a metric of a set of images; default: the run's main one", OF_A_SET),
    ),
    interval="interval:intervals",
)
