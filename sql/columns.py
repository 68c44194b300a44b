"""Columns and parameters that several queries share, so that each is described once."""

from skewbench.sql.declaration import Column, Parameter

RUN_ID = Column("run_id", "VARCHAR", "the run")
AGAINST = Column("against", "VARCHAR", "the earlier run that it is compared with")
CELL = Column("cell", "VARCHAR", "the cell")
FAMILY = Column("family", "VARCHAR", "the family of knobs: settings that differ in strength alone")
SETTINGS = Column("settings", "VARCHAR", "the knob's settings, as JSON")
METRIC = Column("metric", "VARCHAR", "the metric")
METRIC_OR_ALIGN = Column("metric", "VARCHAR", "the metric, or alignment for Align")
KIND = Column("kind", "VARCHAR", "what a value of the metric is of: sample or prompt")
KIND_OR_MEASURE = Column("kind", "VARCHAR", "what a value is of: sample or prompt; measure for Align")
STAGE = Column("stage", "VARCHAR", "the stage of the network: down, mid or up")
LOW = Column("low", "DOUBLE", "95% interval, from: normal, clustered by prompt")
HIGH = Column("high", "DOUBLE", "95% interval, to")
BOOTSTRAP_LOW = Column(
    "low", "DOUBLE", "95% interval, from: the run's bootstrap where it was analysed, else normal, clustered by prompt"
)
METHOD = Column("method", "VARCHAR", "how the interval was made")
PAIRS = Column("n", "BIGINT", "pairs")
LOST = Column(
    "lost",
    "BIGINT",
    "pairs whose image failed in the cell; for a metric of a prompt, whose value is missing since an image failed",
)
WORST_CASE = Column(
    "worst_case",
    "DOUBLE",
    "the change, with the worst value of the metric in the run for each image that failed; NULL without a better side",
    signed=True,
)

BRANCH = Parameter("branch", "branch", "cond or uncond; default: the session's, else the mean of both")
BRANCH_OF_ALIGN = Parameter(
    "branch", "branch", "of Align: cond or uncond; default: the session's, else the mean of both"
)
CATEGORY = Parameter("category", "text", "a category of prompts, '*' for each; default: all prompts together")
RUN = Parameter("run", "run", "the run; default: the newest that the connection shows")
EARLIER_RUN = Parameter("against", "run", "the run that it is compared with; default: the newest other one")
