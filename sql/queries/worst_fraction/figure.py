"""The change on the baseline's worst images, beside the swap control."""

import polars as pl

from skewbench.eval.figures import change_by_regime
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw the metric that stands for fidelity; nothing if it has no values.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    own = answer.filter(pl.col("metric") == pl.col("chosen_by"), metric=context.fidelity or "")
    if own.is_empty():
        return []
    name, share = context.label(own["metric"][0]), f"{100 * own['fraction'][0]:.3g}%"
    chart = change_by_regime(own.filter(pl.col("regime") != "best"), name, list(context.cells), ["worst", "swap"])
    label = f"Change of {name} on the worst {share} of baseline images, by cell, with the swap control"
    return [Drawing(chart, label)]
