"""The agreement of each metric with the votes, one chart per question."""

import polars as pl

from skewbench.eval.figures import shares
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing

_TITLES = {"quality": "Metrics of a sample", "diversity": "Metrics of a prompt's set"}


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart per question.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    named = answer.with_columns(label=pl.col("metric").map_elements(context.label, return_dtype=pl.String))
    drawings = []
    for question in answer["question"].unique(maintain_order=True).to_list():
        title = _TITLES[question]
        label = f"{title}: share of votes for the side that each prefers, with 95% intervals"
        chart = shares(named.filter(question=question), "agreement", "label", "share of votes that agree")
        drawings.append(Drawing(chart, label, title))
    return drawings
