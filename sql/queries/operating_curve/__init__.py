"""What does each knob setting cost and bring?"""

from skewbench.sql.columns import CELL, HIGH, METHOD, METRIC, RUN_ID, SETTINGS
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="operating_curve",
    source="The paper's table of the static knob.",
    columns=(
        RUN_ID,
        CELL,
        Column("position", "INTEGER", "place of the cell in the experiment"),
        Column("knob", "VARCHAR", "kind of the knob"),
        SETTINGS,
        METRIC,
        Column("kind", "VARCHAR", "what a value of the metric is of: sample, prompt or cell"),
        Column("higher_is_better", "BOOLEAN", "the better side; NULL where neither is"),
        Column("mean", "DOUBLE", "mean over what is ok and was scored"),
        Column(
            "low",
            "DOUBLE",
            "95% interval, from: bootstrap where analysed, else normal; NULL for a metric of the cell",
        ),
        HIGH,
        METHOD,
        Column("n", "BIGINT", "samples, prompts or, for a metric of the cell, images that the mean is over"),
        Column("samples", "BIGINT", "samples of the cell"),
        Column("failed", "BIGINT", "samples that failed"),
        Column("blank", "BIGINT", "samples whose image is blank"),
        Column("nonfinite", "BIGINT", "samples with values that are not finite"),
        Column(
            "worst_case", "DOUBLE", "mean, with the worst value of the metric in the run for each sample that is not ok"
        ),
    ),
    interval="interval:intervals",
    figure="figure:figure",
)
