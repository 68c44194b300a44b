"""Paired change by the stability of the baseline: every pair as a dot, and a smooth line through them."""

import altair as alt
import numpy as np
import polars as pl

from skewbench.eval.figures import rows
from skewbench.eval.statistics import resample, smooth
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing

LEAST = 10
"""So few pairs make no line."""
_DOTS = 4000
"""On the page, over all cells: more would hide each other, and make the page large."""
_PLACES, _RESAMPLES = 25, 400
_MANY = 150
"""Dots of more pairs than these lie on each other: they are small, and faint where they are alone."""


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """A chart a cell that has enough pairs."""
    return scatters(answer, smooth_lines(answer, context), context)


def smooth_lines(answer: pl.DataFrame, context: Context) -> dict[str, pl.DataFrame]:
    """A smooth line a cell that has enough pairs: alignment, change, low, high. None where all pairs are alike."""
    if answer["alignment"].n_unique() < 2:
        return {}
    cells = [cell for cell in context.cells if cell != context.baseline]
    return {cell: _line(pairs) for cell in cells if (pairs := answer.filter(cell=cell)).height >= LEAST}


def scatters(answer: pl.DataFrame, lines: dict[str, pl.DataFrame], context: Context) -> list[Drawing]:
    """A chart a line, with axes that compare."""
    if not lines:
        return []
    low, high = (float(answer["change"].quantile(share) or 0.0) for share in (0.005, 0.995))
    bands = pl.concat(lines.values())
    domain = [min(low, *bands["low"]), max(high, *bands["high"])]
    reach = [float(np.quantile(answer["alignment"].to_numpy(), share)) for share in (0.005, 0.995)]
    name = context.label(answer["metric"][0])
    drawings = []
    for cell, line in lines.items():
        pairs = answer.filter(cell=cell)
        chart = change_by_alignment(_some(pairs, domain, reach, _DOTS // len(lines)), line, name, domain, reach)
        label = f"Scatter of the change of {name} against the baseline's Align, with a smooth line, cell {cell}"
        drawings.append(Drawing(chart, label, f"{cell}, n = {pairs.height:,}"))
    return drawings


def _line(pairs: pl.DataFrame) -> pl.DataFrame:
    """The smooth through the middle 98% of the pairs, its kernel as wide as the normal rule has it (1.06 sd n^-1/5)."""
    x, y = pairs["alignment"].to_numpy(), pairs["change"].to_numpy()
    prompts, member = np.unique(pairs["prompt_id"].to_numpy(), return_inverse=True)
    first, last = np.quantile(x, [0.01, 0.99])
    at = np.linspace(first, last, _PLACES)
    width = max(1.06 * float(np.std(x)) * len(x) ** -0.2, float(np.ptp(at)) / _PLACES, 1e-9)
    value, low, high = smooth(x, y, member, resample(len(prompts), _RESAMPLES), at, width)
    return pl.DataFrame({"alignment": at, "change": value, "low": low, "high": high})


def _some(pairs: pl.DataFrame, domain: list[float], reach: list[float], most: int) -> pl.DataFrame:
    """At most so many of the pairs within the axes."""
    inside = pl.col("alignment").is_between(reach[0], reach[1]) & pl.col("change").is_between(domain[0], domain[1])
    some = pairs.filter(inside).sort("pair_id").gather_every(-(-pairs.height // most))  # ids are digests: any of them
    return some.select("alignment", "change")


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
        title="Align of the baseline's image",
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
