"""Paired change by the stability of the baseline: every pair as a dot, and a smooth line through them."""

import altair as alt
import polars as pl

from skewbench.eval.figures.theme import rows

_MANY = 150
"""Dots of more pairs than these lie on each other: they are small, and faint where they are alone."""


def change_by_alignment(
    points: pl.DataFrame, line: pl.DataFrame, metric: str, domain: list[float], alignment: list[float]
) -> alt.LayerChart:
    """One cell's pairs; as wide as its container.

    Args:
        points: alignment, change of some of the pairs.
        line: alignment, change, low, high: the smooth through all of them.
        metric: its label.
        domain, alignment: of the axes, so that charts beside each other compare; what lies beyond is cut off.
    """
    title = f"change of {metric}"
    x = alt.X(
        "alignment:Q",
        title="Align of the baseline's picture",
        scale=alt.Scale(domain=alignment, nice=False, clamp=True),
        axis=alt.Axis(tickCount=4, grid=False),
    )
    y = alt.Y("change:Q", title=title, scale=alt.Scale(domain=domain, nice=False), axis=alt.Axis(tickCount=5))
    band = alt.Chart(rows(line)).encode(x)
    tooltip = [
        alt.Tooltip("alignment:Q", title="Align", format=".4~f"),
        alt.Tooltip("change:Q", title=title, format="+.4~f"),
        alt.Tooltip("low:Q", title="95% from", format="+.4~f"),
        alt.Tooltip("high:Q", title="to", format="+.4~f"),
    ]
    size, opacity = (9, 0.28) if points.height > _MANY else (28, 0.7)  # a few faint dots would not be seen
    layers = [
        alt.Chart(rows(points)).mark_circle(size=size, opacity=opacity, clip=True, style="dot").encode(x, y),
        alt.Chart(rows(pl.DataFrame({"zero": [0.0]}))).mark_rule(style="zero").encode(alt.Y("zero:Q", title=title)),
        band.mark_area(opacity=0.3, clip=True, style="band").encode(alt.Y("low:Q", title=title), y2="high:Q"),
        band.mark_line(strokeWidth=2, clip=True, style="smooth").encode(y),
        band.mark_line(strokeWidth=12, opacity=0, clip=True).encode(y, tooltip=tooltip),
    ]
    return alt.LayerChart(layer=layers, width="container", height=210)
