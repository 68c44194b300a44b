"""The paired change of each cell, one chart per metric."""

import polars as pl

from skewbench.eval.figures import change_by_regime
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart per metric, the main metrics first; of an answer by category only the rows of all prompts.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    answer = answer.filter(pl.col("category").is_null() | (pl.col("category").n_unique() == 1))
    drawings = []
    for metric in context.main_first(answer["metric"].unique(maintain_order=True).to_list()):
        shown = answer.filter(metric=metric).with_columns(regime=pl.lit("all"))
        chart = change_by_regime(shown, context.label(metric), list(context.cells), ["all"])
        drawings.append(
            Drawing(chart, f"Change of {context.label(metric)} against the baseline, by cell, with 95% intervals")
        )
    return drawings
