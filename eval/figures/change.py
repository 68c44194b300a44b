"""The paired change that each knob setting makes, in unstable and in stable samples."""

from typing import Any

import altair as alt
import polars as pl

from skewbench.eval.figures.theme import cell_colour, rows

REGIMES = ["unstable", "stable"]


def change_by_regime(
    frame: pl.DataFrame, metric: str, cells: list[str], regimes: list[str] | None = None
) -> alt.LayerChart:
    """Draw the change against the baseline's image of the same prompt and seed, with its interval.

    The chart is as wide as its container.

    Args:
        frame: Columns cell, regime, change, low, high, n.
        metric: Label of the metric.
        cells: All cells of the run in their order, the baseline first.
        regimes: Regimes of the frame, in the order of the rows within a cell. The first has filled points, the others
            hollow ones. Default: `REGIMES`.
    """
    order = regimes or REGIMES
    shown = [cell for cell in cells if cell in set(frame["cell"])]
    y = alt.Y("cell:N", sort=shown, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=150))
    offset = alt.YOffset("regime:N", sort=order, scale=alt.Scale(paddingOuter=0.35))
    title = f"change of {metric}"
    base = alt.Chart(rows(frame)).encode(
        y,
        offset,
        cell_colour(cells),
        tooltip=[
            alt.Tooltip("cell:N"),
            alt.Tooltip("regime:N"),
            alt.Tooltip("change:Q", title=title, format="+.4~f"),
            alt.Tooltip("low:Q", title="95% from", format="+.4~f"),
            alt.Tooltip("high:Q", title="to", format="+.4~f"),
            alt.Tooltip("n:Q", title="n", format=","),
        ],
    )
    x = alt.X("change:Q", title=title, axis=alt.Axis(tickCount=5))
    point: dict[str, Any] = {"size": 70, "strokeWidth": 1.75, "opacity": 1}
    layers = [
        alt.Chart(rows(pl.DataFrame({"zero": [0.0]}))).mark_rule(style="zero").encode(alt.X("zero:Q", title=title)),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.75)
        .encode(alt.X("low:Q", title=title), x2="high:Q"),
        base.transform_filter(alt.datum.regime == order[0]).mark_point(**point, filled=True).encode(x),
    ]
    if len(order) > 1:
        hollow = base.transform_filter(alt.datum.regime != order[0]).mark_point(**point, style="hollow")
        layers.insert(-1, hollow.encode(x))
    return alt.LayerChart(layer=layers, width="container", height=36 * len(shown))
