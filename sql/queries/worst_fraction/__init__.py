"""Does the knob repair the worst images?"""

from skewbench.sql.columns import CELL, HIGH, METHOD, RUN_ID
from skewbench.sql.declaration import Column, Parameter, Query

QUERY = Query(
    package=__name__,
    name="worst_fraction",
    source="The paper's table of the worst 20%; the control is not in it.",
    columns=(
        RUN_ID,
        CELL,
        Column("chosen_by", "VARCHAR", "the metric of the baseline that chooses"),
        Column("metric", "VARCHAR", "the metric whose change is shown"),
        Column("regime", "VARCHAR", "worst, best, or swap: the control"),
        Column("fraction", "DOUBLE", "the share that is chosen"),
        Column("baseline", "DOUBLE", "mean at baseline of those chosen"),
        Column("change", "DOUBLE", "mean of cell less baseline", signed=True),
        Column(
            "low",
            "DOUBLE",
            "95% interval, from: bootstrap where analysed, which chooses anew each time; else normal",
        ),
        HIGH,
        METHOD,
        Column("n", "BIGINT", "samples chosen"),
        Column("pairs", "BIGINT", "pairs chosen from"),
        Column("lost", "BIGINT", "pairs whose image failed in the cell"),
    ),
    parameters=(Parameter("fraction", "number", "the share, more than 0 and at most 0.5; default: 0.2"),),
    interval="interval:intervals",
    figure="figure:figure",
)
