"""What do the images of a prompt differ in?"""

from skewbench.sql.columns import BOOTSTRAP_LOW, CELL, HIGH, METHOD, METRIC, RUN_ID
from skewbench.sql.declaration import Column, Query, Section

QUERY = Query(
    package=__name__,
    name="attribute_diversity",
    source="In the manner of attribute-conditional evaluations of diversity, such as arXiv 2511.10547.",
    columns=(
        RUN_ID,
        CELL,
        Column("seen_by", "VARCHAR", "what saw the attribute: scene (the pixels) or clip (zero-shot)", label="seen by"),
        Column("attribute", "VARCHAR", "the attribute that prompts leave open"),
        METRIC,
        Column("mean", "DOUBLE", "mean share of pairs of a prompt's images that differ in it"),
        BOOTSTRAP_LOW,
        HIGH,
        METHOD,
        Column("n", "BIGINT", "prompts that leave it open"),
        Column("images", "BIGINT", "images of these prompts that show it"),
        Column("change", "DOUBLE", "cell minus baseline, over the prompts that both have", signed=True),
        Column("change_low", "DOUBLE", "lower end of the change's 95% interval", label="change from", signed=True),
        Column("change_high", "DOUBLE", "upper end of the change's 95% interval", label="to", signed=True),
        Column("pairs", "BIGINT", "prompts of the change"),
    ),
    figure="figure:figure",
    section=Section(
        title="What do a prompt's images differ in?",
        explanation="Each attribute that prompts leave open, such as the texture of “a red circle”: the share of the "
        "pairs of a prompt's images that differ in it. 0: always the same; the upper limit depends on how many values "
        "the attribute has, so compare cells, not attributes.",
        after="curve",
        heading="Diversity by attribute",
        meaning="A point is a cell's mean over prompts, with its 95% interval.",
        only_with_rows=True,
    ),
)
