"""The operating curve: what a knob setting brings in diversity and costs in fidelity, one point a cell."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from eval.figures.theme import cell_colour, cell_shape, rows


@dataclass(frozen=True)
class Axis:
    """A metric on an axis: its label, and whether more is better."""

    label: str
    higher_is_better: bool = True

    @property
    def title(self) -> str:
        """The axis title, which says where better is."""
        return f"{self.label} (better {'→' if self.higher_is_better else '←'})"


def operating_curve(frame: pl.DataFrame, diversity: Axis, fidelity: Axis, cells: list[str]) -> alt.LayerChart:
    """Fidelity against diversity with both intervals; as wide as its container.

    Args:
        frame: a row a cell: cell, settings (words), diversity, diversity_low, diversity_high, diversity_n, fidelity,
            fidelity_low, fidelity_high, fidelity_n. Without an interval: no bar.
        cells: all cells of the run in their order, the baseline first.
    """
    x = alt.X("diversity:Q", title=diversity.title, scale=alt.Scale(zero=False, padding=14), axis=alt.Axis(tickCount=6))
    y = alt.Y("fidelity:Q", title=fidelity.title, scale=alt.Scale(zero=False, padding=14), axis=alt.Axis(tickCount=6))
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("settings:N"),
        alt.Tooltip("diversity:Q", title=diversity.label, format=".4~f"),
        alt.Tooltip("fidelity:Q", title=fidelity.label, format=".4~f"),
        alt.Tooltip("diversity_n:Q", title="n of the first", format=","),
        alt.Tooltip("fidelity_n:Q", title="n of the second", format=","),
    ]
    base = alt.Chart(rows(frame)).encode(cell_colour(cells), tooltip=tooltip)
    layers: list[alt.Chart] = []
    if (known := frame.drop_nulls(["diversity_low", "diversity_high"])).height:
        bar = alt.Chart(rows(known)).mark_rule(strokeWidth=1.5).encode(cell_colour(cells), y, x2="diversity_high:Q")
        layers.append(bar.encode(alt.X("diversity_low:Q", title=diversity.title)))
    if (known := frame.drop_nulls(["fidelity_low", "fidelity_high"])).height:
        bar = alt.Chart(rows(known)).mark_rule(strokeWidth=1.5).encode(cell_colour(cells), x, y2="fidelity_high:Q")
        layers.append(bar.encode(alt.Y("fidelity_low:Q", title=fidelity.title)))
    points = base.mark_point(filled=True, size=110, opacity=1).encode(x, y, cell_shape(cells))
    text: dict[str, Any] = {"align": "left", "dx": 9, "dy": -9, "fontSize": 11.5, "fontWeight": 600}
    halo = alt.Chart(rows(frame)).mark_text(style="halo", strokeWidth=4, **text).encode(x, y, text="cell:N")
    names = base.mark_text(**text).encode(x, y, text="cell:N")
    return alt.LayerChart(layer=[*layers, points, halo, names], width="container", height=340)
