"""What does each knob setting cost and gain?"""

from skewbench.sql.columns import CELL, HIGH, METHOD, METRIC, RUN_ID, SETTINGS
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="operating_curve",
    source="The paper's table of the static knob.",
    columns=(
        RUN_ID,
        CELL,
        Column("position", "INTEGER", "position of the cell in the experiment"),
        Column("knob", "VARCHAR", "kind of the knob"),
        SETTINGS,
        METRIC,
        Column("kind", "VARCHAR", "unit of a value: sample, prompt or cell"),
        Column("higher_is_better", "BOOLEAN", "whether higher is better; NULL if neither side is"),
        Column("mean", "DOUBLE", "mean over scored samples with status ok"),
        Column(
            "low",
            "DOUBLE",
            "lower end of the 95% interval: bootstrap if analysed, else normal; NULL for a metric of the cell",
        ),
        HIGH,
        METHOD,
        Column("n", "BIGINT", "size of the mean: samples, prompts or, for a metric of the cell, images"),
        Column("samples", "BIGINT", "samples of the cell"),
        Column("failed", "BIGINT", "samples that failed"),
        Column("blank", "BIGINT", "samples whose image is blank"),
        Column("nonfinite", "BIGINT", "samples with values that are not finite"),
        Column("worst_case", "DOUBLE", "mean if each unusable sample counts as the worst value in the run"),
    ),
    interval="interval:intervals",
    figure="figure:figure",
)
