"""A stability measure along the network's blocks, or along the denoising steps, one line per cell."""

import altair as alt
import polars as pl

from skewbench.eval.figures import cell_colour, cell_shape, rows
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing
from skewbench.vocabulary.measures import measure_label

_SHOWN = ("alignment", "instability", "neg_energy")


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw each measure by block and, if steps were recorded, by step.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    frame = answer.with_columns((-pl.col("energy")).alias("neg_energy"))
    return [drawing for measure in _SHOWN for drawing in lines(frame, measure, list(context.cells))]


def lines(frame: pl.DataFrame, measure: str, cells: list[str]) -> list[Drawing]:
    """Draw a measure by block and, if steps were recorded, by step.

    Args:
        frame: The answer, with a column of the measure.
        measure: Name of the measure, such as `alignment`.
        cells: All cells of the run, the baseline first.
    """
    by_block, by_step = frame.filter(pl.col("step").is_null()), frame.filter(pl.col("step").is_not_null())
    name = measure_label(measure)
    stages = by_block.group_by("stage", maintain_order=True).agg(
        pl.col("block").min().alias("first"), pl.col("block").max().alias("last")
    )
    blocks = by_block.select("cell", "block", pl.col(measure).alias("value"), "n")
    drawn = profile(blocks, "block", "block", name, cells, stages)
    found = [Drawing(drawn, f"{name} by block, one line per cell", f"{name} by block")]
    if by_step.height:
        steps = by_step.group_by("cell", "step", maintain_order=True).agg(
            pl.col(measure).mean().alias("value"), pl.col("n").min()
        )
        drawn = profile(steps.sort("cell", "step"), "step", "step", name, cells)
        found.append(Drawing(drawn, f"{name} by step, one line per cell", f"{name} by step, mean over blocks"))
    return found


def profile(
    frame: pl.DataFrame, along: str, title: str, measure: str, cells: list[str], stages: pl.DataFrame | None = None
) -> alt.LayerChart:
    """Draw the mean of a measure along blocks or steps; as wide as its container.

    Args:
        frame: Columns cell, value, n, and a column named `along`.
        along: `block` or `step`.
        title: Title of the axis along which the lines run.
        measure: Label of the measure.
        cells: All cells of the run, the baseline first.
        stages: Columns stage, first, last: the first and last block of each stage, drawn behind the lines.
    """
    axis = alt.Axis(grid=False, values=_ticks(frame[along]), format="d")
    x = alt.X(f"{along}:Q", title=title, scale=alt.Scale(nice=False), axis=axis)
    y = alt.Y("value:Q", title=measure, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip(f"{along}:Q", title=title, format="d"),
        alt.Tooltip("value:Q", title=measure, format=".4~f"),
        alt.Tooltip("n:Q", title="n", format=","),
    ]
    base = alt.Chart(rows(frame)).encode(cell_colour(cells))
    line = base.mark_line(strokeWidth=1.75).encode(x, y)
    points = base.mark_point(filled=True, size=26, opacity=1).encode(x, y, cell_shape(cells), tooltip=tooltip)
    layers: list[alt.Chart] = [line, points]
    if stages is not None:
        layers = [*_stages(stages), *layers]
    return alt.LayerChart(layer=layers, width="container", height=220)


def _ticks(places: pl.Series) -> list[int]:
    """Return at most a dozen whole numbers: with three steps, an axis would mark the halves by default."""
    found = places.unique().sort().to_list()
    return found[:: 1 + (len(found) - 1) // 12]


def _stages(stages: pl.DataFrame) -> list[alt.Chart]:
    placed = stages.with_columns(((pl.col("first") + pl.col("last")) / 2).alias("middle"))
    between = ((pl.col("first") + pl.col("last").shift(1)) / 2).alias("boundary")
    starts = placed.sort("first").with_columns(between).drop_nulls("boundary")
    names = alt.Chart(rows(placed)).mark_text(style="faint", baseline="bottom", dy=-3, fontSize=11)
    return [
        alt.Chart(rows(starts)).mark_rule(style="boundary").encode(alt.X("boundary:Q")),
        names.encode(alt.X("middle:Q"), y=alt.value(0), text="stage:N"),
    ]
