"""Which metrics agree with people?"""

from skewbench.sql.columns import HIGH, METHOD, METRIC, QUESTION, RUN_ID, VOTE_LOW
from skewbench.sql.declaration import Column, Query, Section

QUERY = Query(
    package=__name__,
    name="metric_agreement",
    source="This project; the interval's variance is that of Owen, The pigeonhole bootstrap, Annals of Applied "
    "Statistics 1(2), 2007.",
    columns=(
        RUN_ID,
        QUESTION,
        METRIC,
        Column("unit", "VARCHAR", "what the metric is of: sample or prompt"),
        Column("agreement", "DOUBLE", "share of votes for the side that the metric prefers, ties of the metric half"),
        VOTE_LOW,
        HIGH,
        METHOD,
        Column("verdict", "VARCHAR", "agrees or disagrees if the interval excludes 0.5 over ten prompts or more"),
        Column("n", "BIGINT", "votes that are no ties, where the metric has comparable values of both sides"),
        Column("ties", "BIGINT", "of these, votes in which both sides have the same value"),
        Column("prompts", "BIGINT", "prompts of the votes"),
        Column("raters", "BIGINT", "people who voted"),
    ),
    figure="figure:figure",
    section=Section(
        title="Do the metrics agree with people?",
        explanation="For each vote that is no tie: whether the metric prefers the side that the rater chose. 0.5 is "
        "what a coin would reach.",
        after="ratings",
        heading="Agreement of each metric with the votes",
        meaning="A point is the share of votes in which both prefer the same side, with its 95% interval over prompts "
        "and raters.",
        only_with_rows=True,
    ),
)
