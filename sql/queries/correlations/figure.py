"""Table 1 of the paper as a heatmap: Spearman's rho of each measure with each metric, by stage."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from skewbench.eval.figures import rows, symmetric
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing
from skewbench.vocabulary.measures import ANSWERS, measure_label
from skewbench.vocabulary.stages import SHOWN

_FEW = 4
"""Up to this many metrics, names fit upright on a phone."""
_LEAST = 0.3
"""The colour scale reaches at least this |rho|, so that noise around 0 stays pale."""


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw the heatmap for a wide and for a narrow screen.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    label = "Heatmap of Spearman correlations between stability measures and metrics"
    if answer["cell"].n_unique() == 1:
        label += f", cell {answer['cell'][0]}"
    return [
        Drawing(correlations(answer, context.labels), label, layout="wide"),
        Drawing(correlations_narrow(answer, context.labels), label, layout="narrow"),
    ]


def correlations(frame: pl.DataFrame, labels: Mapping[str, str] | None = None) -> alt.FacetChart:
    """Draw the layout of the paper's table: metrics down, measures across, a panel per stage. 860 px wide.

    Args:
        frame: Columns metric, stage, measure, rho, low, high, n of the query `correlations`. Bold: the interval does
            not contain 0.
        labels: Labels by metric; a metric without one keeps its name.
    """
    described = _described(frame, labels)
    stages = [stage for stage in SHOWN if stage in set(described["stage"])]
    panel = _panel(described, 41, symmetric(described["rho"], _LEAST))
    return panel.facet(column=alt.Column("stage:N", sort=stages, title=None), spacing=10)


def correlations_narrow(
    frame: pl.DataFrame, labels: Mapping[str, str] | None = None
) -> alt.LayerChart | alt.VConcatChart:
    """Draw the heatmap for a phone: few metrics across, in the width of its container, or many down, stage by stage.

    Args:
        frame: Columns as in `correlations`.
        labels: Labels by metric; a metric without one keeps its name.
    """
    described = _described(frame, labels)
    metrics = described["name"].unique(maintain_order=True).to_list()
    reach = symmetric(described["rho"], _LEAST)
    if len(metrics) > _FEW:
        parts = described.partition_by("stage", as_dict=True, maintain_order=True)
        panels = [
            _panel(part, 44, reach).properties(title=alt.Title(str(stage), anchor="start"))
            for (stage,), part in parts.items()
        ]
        return alt.vconcat(*panels, spacing=10)
    lines = described["line"].unique(maintain_order=True).to_list()
    across = alt.Axis(
        orient="top", ticks=False, domain=False, labelAngle=0, labelAlign="center",
        labelExpr="split(datum.label, ' ')",  # one word per line
    )  # fmt: skip
    return _cells(
        described,
        alt.X("name:N", sort=metrics, title=None, axis=across),
        alt.Y("line:N", sort=lines, title=None, axis=alt.Axis(ticks=False, domain=False)),
        reach,
    ).properties(width="container", height=25 * len(lines))


def _panel(described: pl.DataFrame, step: int, reach: list[float]) -> alt.LayerChart:
    """The cells of a stage: metrics down, measures across, each `step` px wide."""
    symbols = described["symbol"].unique(maintain_order=True).to_list()
    metrics = described["name"].unique(maintain_order=True).to_list()
    top = alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False)
    return _cells(
        described,
        alt.X("symbol:N", sort=symbols, title=None, axis=top),
        alt.Y("name:N", sort=metrics, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=175)),
        reach,
    ).properties(width=alt.Step(step), height=alt.Step(30))


def _described(frame: pl.DataFrame, labels: Mapping[str, str] | None) -> pl.DataFrame:
    known = [measure for measure in ANSWERS if measure in set(frame["measure"])]
    return (
        frame.select("metric", "stage", "measure", "rho", "low", "high", "n")
        .with_columns(
            pl.col("metric").replace(labels or {}).alias("name"),
            pl.col("measure").map_elements(measure_label, pl.String).alias("symbol"),
            ((pl.col("low") > 0) | (pl.col("high") < 0)).fill_null(False).alias("clear"),
        )
        .with_columns((pl.col("stage") + " " + pl.col("symbol")).alias("line"))
        .sort(
            pl.col("stage").replace_strict(SHOWN, range(len(SHOWN)), default=len(SHOWN)),
            pl.col("measure").replace_strict(known, range(len(known)), default=len(known)),
            maintain_order=True,
        )
    )


def _cells(described: pl.DataFrame, x: alt.X, y: alt.Y, reach: list[float]) -> alt.LayerChart:
    colour: Any = alt.Color(
        "rho:Q",
        scale=alt.Scale(type="quantize", domain=reach, range="diverging"),
        legend=None,
    )
    tooltip = [
        alt.Tooltip("name:N", title="metric"),
        alt.Tooltip("line:N", title="stage, measure"),
        alt.Tooltip("rho:Q", title="Spearman ρ", format="+.3f"),
        alt.Tooltip("low:Q", title="95% from", format="+.3f"),
        alt.Tooltip("high:Q", title="to", format="+.3f"),
        alt.Tooltip("n:Q", title="n", format=","),
    ]
    base = alt.Chart(rows(described)).encode(x, y, tooltip=tooltip)
    # as the paper's table has them: +.18
    base = base.transform_calculate(
        text="replace(replace(format(abs(datum.rho) < 0.005 ? 0 : datum.rho, '+.2f'), '0.', '.'), '-', '−')"
    )
    layers = [
        base.mark_rect(style="ground", strokeWidth=1).encode(colour),
        base.transform_filter("datum.clear").mark_text(fontWeight=700, fontSize=11).encode(text="text:N"),
        base.transform_filter("!datum.clear && isValid(datum.rho)").mark_text(fontSize=11).encode(text="text:N"),
        base.transform_filter("!isValid(datum.rho)").mark_text(style="faint").encode(text=alt.value("–")),
    ]
    return alt.LayerChart(layer=layers)
