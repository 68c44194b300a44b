"""The change of each cell against another run."""

import polars as pl

from skewbench.eval.figures import change_by_regime
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart for each main metric that both runs have.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    drawings = []
    there = set(answer["metric"])
    for metric in [metric for metric in (context.fidelity, context.diversity) if metric and metric in there]:
        shown = answer.filter(metric=metric).with_columns(regime=pl.lit("all"))
        chart = change_by_regime(shown, context.label(metric), list(context.cells), ["all"])
        drawings.append(
            Drawing(
                chart, f"Change of {context.label(metric)} against {answer['against'][0]}, by cell, with 95% intervals"
            )
        )
    return drawings
