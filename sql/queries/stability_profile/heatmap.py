"""A stability measure by block and step as a heatmap, of one cell."""

from math import floor, log10

import altair as alt
import polars as pl

from skewbench.eval.figures import rows


def blocks_by_steps(frame: pl.DataFrame, measure: str, domain: list[float], change: bool = False) -> alt.Chart:
    """Draw a heatmap with blocks down and steps across; as wide as its container.

    Args:
        frame: Columns block, step, value and n of one cell.
        measure: Label of `value`, for the tooltip.
        domain: Range of the colours; heatmaps with the same range are comparable.
        change: Whether the values are changes against another cell; the colours then diverge around 0.
    """
    blocks = frame["block"].unique().sort().to_list()
    steps = frame["step"].unique().sort().to_list()
    scale = alt.Scale(type="quantize", domain=domain, nice=False, range="diverging" if change else "heatmap")
    digits = max(0, 1 - floor(log10((domain[1] - domain[0]) or 1.0)))  # enough digits to distinguish the colours
    number = f"+.{digits}f" if change else f".{digits}f"
    legend = alt.Legend(
        orient="bottom",
        direction="horizontal",
        title=None,
        format=number,
        gradientThickness=8,
        labelOverlap="greedy",
        labelSeparation=8,
    )
    return (
        alt.Chart(rows(frame))
        .mark_rect()
        .encode(
            alt.X("step:O", title="step", axis=_axis(steps, 12)),
            alt.Y("block:O", title="block", sort="ascending", axis=_axis(blocks, 14)),
            alt.Color("value:Q", scale=scale, legend=legend),
            tooltip=[
                alt.Tooltip("block:O"),
                alt.Tooltip("step:O"),
                alt.Tooltip("value:Q", title=measure, format="+.4~f" if change else ".4~f"),
                alt.Tooltip("n:Q", format=","),
            ],
        )
        .properties(width="container", height=max(150, min(420, 14 * len(blocks))))
    )


def _axis(values: list[int], most: int) -> alt.Axis:
    """Make an axis with labels for at most `most` of the values, evenly spaced."""
    every = -(-len(values) // most)
    return alt.Axis(values=values[::every], ticks=False, domain=False, labelAngle=0)
