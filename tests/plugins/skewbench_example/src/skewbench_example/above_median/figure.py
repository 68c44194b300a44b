"""The share of each cell with its interval."""

import altair as alt

from skewbench.eval.figures import cell_colour, rows


def figure(answer, context):
    """A point a cell, as wide as its container."""
    y = alt.Y("cell:N", sort=list(context.cells), title=None)
    title = f"share of images with {context.label(answer['metric'][0])} above the median"
    base = alt.Chart(rows(answer)).encode(y, cell_colour(list(context.cells)))
    bars = base.transform_filter("isValid(datum.low)").mark_rule().encode(alt.X("low:Q", title=title), x2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(alt.X("share:Q", title=title))
    return alt.LayerChart(layer=[bars, points], width="container", height=36 * answer.height)
