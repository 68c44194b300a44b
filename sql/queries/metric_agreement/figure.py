"""The agreement of each metric with the votes, one chart per question."""

import altair as alt
import polars as pl

from skewbench.eval.figures import rows
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing

_TITLES = {"quality": "Metrics of a sample", "diversity": "Metrics of a prompt's set"}


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw one chart per question.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    named = answer.with_columns(label=pl.col("metric").map_elements(context.label, return_dtype=pl.String))
    drawings = []
    for question in answer["question"].unique(maintain_order=True).to_list():
        title = _TITLES[question]
        label = f"{title}: share of votes for the side that each prefers, with 95% intervals"
        drawings.append(Drawing(_chart(named.filter(question=question)), label, title))
    return drawings


def _chart(shown: pl.DataFrame) -> alt.LayerChart:
    title = "share of votes that agree"
    labels = shown["label"].unique(maintain_order=True).to_list()
    x = alt.X("agreement:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    y = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    base = alt.Chart(rows(shown)).encode(y)
    tooltip = [
        alt.Tooltip("label:N", title="metric"),
        alt.Tooltip("agreement:Q", title=title, format=".3~f"),
        alt.Tooltip("low:Q", title="95% from", format=".3~f"),
        alt.Tooltip("high:Q", title="to", format=".3~f"),
        alt.Tooltip("n:Q", title="votes", format=","),
        alt.Tooltip("prompts:Q", format=","),
    ]
    even = alt.Chart(rows(pl.DataFrame({"even": [0.5]}))).mark_rule(style="zero").encode(alt.X("even:Q", title=title))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.75)
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x, tooltip=tooltip)
    layers = [even, bars.encode(alt.X("low:Q", title=title), x2="high:Q"), points]
    return alt.LayerChart(layer=layers, width="container", height=28 * len(labels))
