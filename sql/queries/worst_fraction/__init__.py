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
        Column("chosen_by", "VARCHAR", "the metric of the baseline that selects the samples"),
        Column("metric", "VARCHAR", "the metric whose change is shown"),
        Column("regime", "VARCHAR", "worst, best, or swap: the control"),
        Column("fraction", "DOUBLE", "the selected share"),
        Column("baseline", "DOUBLE", "mean of the selected samples at baseline"),
        Column("change", "DOUBLE", "mean of cell minus baseline", signed=True),
        Column(
            "low",
            "DOUBLE",
            "lower end of the 95% interval: bootstrap with a selection per resample if analysed, else normal",
        ),
        HIGH,
        METHOD,
        Column("n", "BIGINT", "selected samples"),
        Column("prompts", "BIGINT", "prompts of the selected samples"),
        Column("pairs", "BIGINT", "pairs to select from"),
        Column("failed", "BIGINT", "pairs whose image failed in the cell (failed, blank or not finite)"),
    ),
    parameters=(Parameter("fraction", "number", "the share, more than 0 and at most 0.5; default: 0.2"),),
    interval="interval:intervals",
    figure="figure:figure",
)
