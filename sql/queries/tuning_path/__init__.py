"""How did a search choose its setting?"""

from skewbench.sql.columns import METRIC, RUN_ID, SETTINGS
from skewbench.sql.declaration import Column, Query, Section

QUERY = Query(
    package=__name__,
    name="tuning_path",
    source="This project.",
    columns=(
        RUN_ID,
        Column("step", "INTEGER", "position on the path"),
        Column("round", "INTEGER", "the round"),
        Column("phase", "VARCHAR", "explore, final or held-out"),
        Column("trial", "VARCHAR", "the trial"),
        Column("words", "VARCHAR", "its setting in words", label="setting"),
        SETTINGS,
        METRIC,
        Column("gain", "DOUBLE", "mean paired change to the baseline; positive is better", signed=True),
        Column("low", "DOUBLE", "lower end of the gain's interval: 95%, clustered by prompt; held-out 99%"),
        Column("high", "DOUBLE", "upper end of the gain's interval"),
        Column("n", "BIGINT", "pairs"),
        Column("prompts", "BIGINT", "prompts of the pairs"),
        Column("failed", "BIGINT", "pairs whose image failed in the trial; each counts with the worst value"),
        Column("feasible", "VARCHAR", "whether the intervals keep all bounds: yes, unclear or no"),
        Column("bound", "VARCHAR", "the bound that is closest to being broken"),
        Column("slack", "DOUBLE", "distance of the mean from the bound, positive on the allowed side", signed=True),
        Column("slack_low", "DOUBLE", "lower end of the slack's interval"),
        Column("slack_high", "DOUBLE", "upper end of the slack's interval"),
        Column("chosen", "BOOLEAN", "whether the trial was chosen"),
        Column("verdict", "VARCHAR", "verdict of the held-out measurement: better, not shown or worse"),
        Column("reason", "VARCHAR", "why"),
        Column("objective", "VARCHAR", "the objective with its bounds"),
        Column("measured_in", "VARCHAR", "the run of the round"),
    ),
    section=Section(
        title="How was this setting chosen?",
        explanation="The state of each trial after each round of the search. The held-out measurement is last.",
        meaning="Gains are paired with the baseline of the same round.",
        only_with_rows=True,
    ),
)
