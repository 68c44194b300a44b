"""The diversity of each attribute in each cell, one chart for the pixels and one for CLIP."""

import altair as alt
import polars as pl

from skewbench.eval.figures import cell_colour, cell_shape, rows
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing

_SEEN_BY = {"scene": "from the pixels of scenes", "clip": "by CLIP"}


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart per way in which attributes are seen.

    Args:
        answer: The query's answer. It has rows.
        context: Labels for people, and the order of cells and metrics.
    """
    drawings = []
    for seen_by in answer["seen_by"].unique(maintain_order=True).to_list():
        how = _SEEN_BY.get(seen_by, f"by {seen_by}")
        chart = _chart(answer.filter(seen_by=seen_by), list(context.cells))
        label = f"Share of pairs of a prompt's images that differ in each attribute, {how}, by cell, with 95% intervals"
        drawings.append(Drawing(chart, label, title=f"Attributes {how}"))
    return drawings


def _chart(frame: pl.DataFrame, cells: list[str]) -> alt.LayerChart:
    attributes = frame["attribute"].unique().sort().to_list()
    shown = [cell for cell in cells if cell in set(frame["cell"])]
    title = "share of pairs that differ"
    y = alt.Y("attribute:N", sort=attributes, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=150))
    offset = alt.YOffset("cell:N", sort=shown, scale=alt.Scale(paddingOuter=0.3))
    x = alt.X("mean:Q", title=title, axis=alt.Axis(tickCount=5))
    base = alt.Chart(rows(frame)).encode(y, offset, cell_colour(cells))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.75)
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("attribute:N"),
        alt.Tooltip("mean:Q", title=title, format=".3~f"),
        alt.Tooltip("low:Q", title="95% from", format=".3~f"),
        alt.Tooltip("high:Q", title="to", format=".3~f"),
        alt.Tooltip("change:Q", title="change against the baseline", format="+.3~f"),
        alt.Tooltip("n:Q", title="prompts", format=","),
    ]
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x, cell_shape(cells), tooltip=tooltip)
    layers = [bars.encode(alt.X("low:Q", title=title), x2="high:Q"), points]
    return alt.LayerChart(layer=layers, width="container", height=max(14 * len(shown), 30) * len(attributes))
