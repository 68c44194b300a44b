"""Does stability correlate with quality?"""

from skewbench.sql.columns import BRANCH, CELL, HIGH, METHOD, METRIC, RUN_ID
from skewbench.sql.declaration import Column, Parameter, Query, Section
from skewbench.vocabulary.measures import ANSWERS

QUERY = Query(
    package=__name__,
    name="correlations",
    source="Cho, Han, Jin (arXiv 2605.27476), Table 1; eta is not in it.",
    columns=(
        RUN_ID,
        CELL,
        METRIC,
        Column("kind", "VARCHAR", "unit that n counts: sample or prompt"),
        Column("stage", "VARCHAR", "the stage of the network: down, mid, up, or all"),
        Column("measure", "VARCHAR", ", ".join(f"{name} ({measure.symbol})" for name, measure in ANSWERS.items())),
        Column("rho", "DOUBLE", "Spearman's correlation; NULL if one side is constant", label="ρ", signed=True),
        Column("n", "BIGINT", "samples or prompts"),
        Column("low", "DOUBLE", "lower end of the 95% interval: bootstrap clustered by prompt, if analysed"),
        HIGH,
        METHOD,
    ),
    parameters=(
        Parameter(
            "cell",
            "cell",
            "the cell; default: the run's baseline (every cell if it has none); '*': each cell",
            one_by_one=True,
        ),
        BRANCH,
    ),
    interval="interval:intervals",
    figure="figure:figure",
    section=Section(
        title="Does stability predict quality?",
        explanation="Measures are means over a stage's self-attention blocks and over steps: "
        + ", ".join(f"{measure.symbol} ({measure.meaning})" for measure in ANSWERS.values())
        + ".",
        after="curve",
        heading="Stability against quality",
        meaning="Each number says whether images with a higher measure also have a higher metric: +1 always, 0 no "
        "relation, −1 the reverse. Bold: the 95% interval does not contain 0.",
        by="cell",
        needs=("stability", "metric"),
    ),
)
