"""The win rate of each pair of cells, one chart per question."""

import altair as alt
import polars as pl

from skewbench.eval.figures import cell_colour, rows
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
        drawings.append(Drawing(_chart(answer.filter(question=question), list(context.cells)), label, title))
    return drawings


def _chart(answer: pl.DataFrame, cells: list[str]) -> alt.LayerChart:
    pair = pl.format("{} against {}", "cell", "against")
    shown = answer.with_columns(pair=pair)
    title = "share of votes, ties half"
    x = alt.X("win_rate:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    pairs = shown["pair"].unique(maintain_order=True).to_list()
    y = alt.Y("pair:N", sort=pairs, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    base = alt.Chart(rows(shown)).encode(y, cell_colour(cells, legend=None))
    tooltip = [
        alt.Tooltip("pair:N"),
        alt.Tooltip("win_rate:Q", title=title, format=".3~f"),
        alt.Tooltip("low:Q", title="95% from", format=".3~f"),
        alt.Tooltip("high:Q", title="to", format=".3~f"),
        alt.Tooltip("n:Q", title="votes", format=","),
        alt.Tooltip("prompts:Q", format=","),
        alt.Tooltip("raters:Q", format=","),
    ]
    even = alt.Chart(rows(pl.DataFrame({"even": [0.5]}))).mark_rule(style="zero").encode(alt.X("even:Q", title=title))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.75)
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x, tooltip=tooltip)
    layers = [even, bars.encode(alt.X("low:Q", title=title), x2="high:Q"), points]
    return alt.LayerChart(layer=layers, width="container", height=36 * len(pairs))
