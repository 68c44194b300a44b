"""Columns and parameters that several queries share."""

from skewbench.sql.declaration import Column, Parameter

RUN_ID = Column("run_id", "VARCHAR", "the run")
AGAINST = Column("against", "VARCHAR", "the earlier run that it is compared with")
CELL = Column("cell", "VARCHAR", "the cell")
FAMILY = Column("family", "VARCHAR", "the family of knobs: settings that differ only in strength")
SETTINGS = Column("settings", "VARCHAR", "the knob's settings, as JSON")
METRIC = Column("metric", "VARCHAR", "the metric")
METRIC_OR_ALIGN = Column("metric", "VARCHAR", "the metric, or alignment for Align")
KIND = Column("kind", "VARCHAR", "unit of a value: sample or prompt")
KIND_OR_MEASURE = Column("kind", "VARCHAR", "unit of a value: sample or prompt; measure for Align")
STAGE = Column("stage", "VARCHAR", "the stage of the network: down, mid or up")
LOW = Column("low", "DOUBLE", "lower end of the 95% interval: normal approximation, clustered by prompt")
HIGH = Column("high", "DOUBLE", "upper end of the 95% interval")
BOOTSTRAP_LOW = Column(
    "low",
    "DOUBLE",
    "lower end of the 95% interval: bootstrap if the run was analysed, else normal; clustered by prompt",
)
VOTE_LOW = Column("low", "DOUBLE", "lower end of the 95% interval: clustered by prompt and rater")
QUESTION = Column("question", "VARCHAR", "what people were asked: quality or diversity")
METHOD = Column("method", "VARCHAR", "how the interval was made")
PAIRS = Column("n", "BIGINT", "pairs")
FAILED = Column(
    "failed",
    "BIGINT",
    "pairs whose image failed in the cell (failed, blank or not finite); for a metric of a prompt, pairs without a "
    "value because an image failed",
)
WORST_CASE = Column(
    "worst_case",
    "DOUBLE",
    "the change if each failed image counts as the worst value in the run; NULL if neither side is better",
    signed=True,
)

_ELSE = "default: the session's, else the mean of cond and uncond"
BRANCH = Parameter("branch", "branch", f"guidance branch, cond, uncond or weak; {_ELSE}")
BRANCH_OF_ALIGN = Parameter("branch", "branch", f"guidance branch of Align, cond, uncond or weak; {_ELSE}")
CATEGORY = Parameter("category", "text", "a category of prompts, '*' for each; default: all prompts together")
RUN = Parameter("run", "run", "the run; default: the newest of the connection")
EARLIER_RUN = Parameter("against", "run", "the earlier run; default: the newest other run")
