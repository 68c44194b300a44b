"""The paired change in unstable and in stable samples, one chart per metric."""

import polars as pl

from skewbench.eval.figures import change_by_regime
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart per metric, the main metrics first.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    shown = answer.filter(pl.col("regime") != "difference")
    drawings = []
    for metric in context.main_first(shown["metric"].unique(maintain_order=True).to_list()):
        name = context.label(metric)
        chart = change_by_regime(shown.filter(metric=metric), name, list(context.cells))
        label = f"Change of {name} against the baseline, by cell, for unstable and stable samples, with 95% intervals"
        drawings.append(Drawing(chart, label))
    return drawings
