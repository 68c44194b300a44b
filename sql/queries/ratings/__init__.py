"""Which cells do people prefer?"""

from skewbench.sql.columns import CELL, HIGH, METHOD, QUESTION, RUN_ID, VOTE_LOW
from skewbench.sql.declaration import Column, Query, Section

QUERY = Query(
    package=__name__,
    name="ratings",
    source="This project; the interval's variance is that of Owen, The pigeonhole bootstrap, Annals of Applied "
    "Statistics 1(2), 2007.",
    columns=(
        RUN_ID,
        QUESTION,
        CELL,
        Column("against", "VARCHAR", "the cell that it was compared with"),
        Column("win_rate", "DOUBLE", "share of votes for the cell, ties half", label="win rate"),
        VOTE_LOW,
        HIGH,
        METHOD,
        Column("verdict", "VARCHAR", "better or worse if the interval excludes 0.5 over ten prompts or more"),
        Column("n", "BIGINT", "votes"),
        Column("wins", "BIGINT", "votes for the cell"),
        Column("ties", "BIGINT", "votes for neither"),
        Column("losses", "BIGINT", "votes for the other cell"),
        Column("prompts", "BIGINT", "prompts of the votes"),
        Column("raters", "BIGINT", "people who voted"),
        Column("left", "DOUBLE", "share of the left side among votes that are no ties; a check, near 0.5"),
    ),
    figure="figure:figure",
    section=Section(
        title="What do people prefer?",
        explanation="People compared two cells side by side, without knowing which was which. Sides and order were "
        "shuffled.",
        heading="Win rate against another cell",
        meaning="A point is the share of votes for the cell, ties half, with its 95% interval over prompts and raters.",
        only_with_rows=True,
    ),
)
