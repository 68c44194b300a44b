"""The win rate of each pair of cells, one chart per question."""

import polars as pl

from skewbench.eval.figures import cell_colour, shares
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing

_TITLES = {"quality": "Which sample is better?", "diversity": "Which set of samples is more diverse?"}


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart per question.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    drawings = []
    for question in answer["question"].unique(maintain_order=True).to_list():
        title = _TITLES[question]
        label = f"{title} Share of votes for each cell, with 95% intervals"
        shown = answer.filter(question=question).with_columns(pair=pl.format("{} against {}", "cell", "against"))
        colour = cell_colour(list(context.cells), legend=None)
        drawings.append(Drawing(shares(shown, "win_rate", "pair", "share of votes, ties half", colour), label, title))
    return drawings
