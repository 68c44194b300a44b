"""Shares of votes with their intervals, beside the half that a coin would reach."""

from typing import Any

import altair as alt
import polars as pl

from skewbench.eval.figures.theme import rows

_PLACES = ".3~f"


def shares(frame: pl.DataFrame, value: str, by: str, title: str, colour: alt.Color | None = None) -> alt.LayerChart:
    """Draw a point and an interval for each row of a frame.

    The chart is as wide as its container.

    Args:
        frame: Columns `value`, `by`, low, high, n, prompts, raters. Rows are drawn in their order.
        value: Column of the shares, from 0 to 1.
        by: Column with the name of each row.
        title: Title of the axis.
        colour: Colours of the rows; None: one colour.
    """
    names = frame[by].unique(maintain_order=True).to_list()
    y = alt.Y(f"{by}:N", sort=names, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    x = alt.X(f"{value}:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    base = alt.Chart(rows(frame)).encode(y)
    style: dict[str, Any] = {"style": "smooth"}
    if colour is not None:
        base, style = base.encode(colour), {}
    tooltip = [
        alt.Tooltip(f"{by}:N"),
        alt.Tooltip(f"{value}:Q", title=title, format=_PLACES),
        alt.Tooltip("low:Q", title="95% from", format=_PLACES),
        alt.Tooltip("high:Q", title="to", format=_PLACES),
        alt.Tooltip("n:Q", title="votes", format=","),
        alt.Tooltip("prompts:Q", format=","),
        alt.Tooltip("raters:Q", format=","),
    ]
    even = alt.Chart(rows(pl.DataFrame({"even": [0.5]}))).mark_rule(style="zero").encode(alt.X("even:Q", title=title))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.75, **style)
    points = base.mark_point(filled=True, size=70, opacity=1, **style).encode(x, tooltip=tooltip)
    layers = [even, bars.encode(alt.X("low:Q", title=title), x2="high:Q"), points]
    return alt.LayerChart(layer=layers, width="container", height=32 * len(names))
