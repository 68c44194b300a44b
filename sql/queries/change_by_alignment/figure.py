"""Paired change by the stability of the baseline: every pair as a dot, and a smooth line through them."""

import altair as alt
import numpy as np
import polars as pl

from skewbench.eval.figures import rows
from skewbench.eval.statistics import resample, smooth
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing

LEAST = 10
"""Fewest pairs for a smooth line."""
_DOTS = 4000
"""Dots on the page over all cells: more would overlap and make the page large."""
_PLACES, _RESAMPLES = 25, 400
_MANY = 150
"""Number of pairs above which dots are small and faint, because they overlap."""


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart per cell that has enough pairs.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    pairs = answer.drop_nulls(["alignment", "change"])
    return scatters(pairs, smooth_lines(pairs, context), context)


def smooth_lines(answer: pl.DataFrame, context: Context) -> dict[str, pl.DataFrame]:
    """Fit a smooth line per cell that has at least `LEAST` pairs.

    Args:
        answer: Answer of the query.
        context: The cells of the run.

    Returns:
        By cell: a frame with the columns alignment, change, low and high (95% interval). Empty if all pairs have the
        same alignment.
    """
    if answer["alignment"].n_unique() < 2:
        return {}
    cells = [cell for cell in context.cells if cell != context.baseline]
    return {cell: _line(pairs) for cell in cells if (pairs := answer.filter(cell=cell)).height >= LEAST}


def scatters(answer: pl.DataFrame, lines: dict[str, pl.DataFrame], context: Context) -> list[Drawing]:
    """Draw one chart per line, with the same axes for all.

    Args:
        answer: Answer of the query.
        lines: Lines by cell (`smooth_lines`).
        context: Labels of metrics.

    Returns:
        Charts in the order of the lines; the axes span the middle 99% of the pairs.
    """
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
    """Select at most `most` of the pairs within the axes."""
    inside = pl.col("alignment").is_between(reach[0], reach[1]) & pl.col("change").is_between(domain[0], domain[1])
    some = pairs.filter(inside).sort("pair_id").gather_every(-(-pairs.height // most))  # ids are digests: any of them
    return some.select("alignment", "change")


def change_by_alignment(
    points: pl.DataFrame, line: pl.DataFrame, metric: str, domain: list[float], alignment: list[float]
) -> alt.LayerChart:
    """Draw the pairs of one cell; as wide as its container.

    Args:
        points: Columns alignment and change, for some of the pairs.
        line: Columns alignment, change, low and high: the smooth line through all pairs.
        metric: Label of the metric.
        domain: Range of the axis of changes, so that neighbouring charts are comparable; points beyond are cut off.
        alignment: Range of the axis of alignment.
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
