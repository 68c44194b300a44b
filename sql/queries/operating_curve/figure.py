"""The operating curve: the gain in diversity and the cost in fidelity of each knob setting, one point per cell."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from skewbench.eval.figures import cell_colour, cell_shape, extent, rows
from skewbench.sql.context import Context
from skewbench.sql.declaration import Drawing

_PLACES: tuple[dict[str, Any], ...] = (
    {"align": "left", "dx": 9, "dy": -9},
    {"align": "right", "dx": -9, "dy": -9},
    {"align": "left", "dx": 9, "dy": 11},
    {"align": "right", "dx": -9, "dy": 11},
)
"""Positions for the name of a point, the best first."""
_WIDTH, _HEIGHT, _LETTER, _LINE = 260, 280, 7.0, 15
"""Pixels of the plot on a phone, where space is smallest, of a letter, and of a line."""


@dataclass(frozen=True)
class Axis:
    """A metric on an axis: its label, and whether more is better; None: neither side is."""

    label: str
    higher_is_better: bool | None = True

    @property
    def title(self) -> str:
        """The axis title, with an arrow towards the better side."""
        if self.higher_is_better is None:
            return self.label
        return f"{self.label} (better {'→' if self.higher_is_better else '←'})"


def figure(answer: pl.DataFrame, context: Context) -> list[Drawing]:
    """Draw the run's main metrics against each other; nothing if one of them is missing.

    Args:
        answer: The query's answer. It has rows.
        context: Labels, and the order of cells and metrics.
    """
    if context.fidelity is None or context.diversity is None:
        return []
    points = curve_points(answer, context)
    if points.is_empty():  # of a run with one seed no cell has a diversity
        return []
    axes = [Axis(context.label(metric), context.better.get(metric)) for metric in (context.diversity, context.fidelity)]
    label = f"Scatter of {axes[1].label} against {axes[0].label}, one point per cell, with 95% intervals"
    return [Drawing(operating_curve(points, axes[0], axes[1], list(context.cells)), label)]


def curve_points(answer: pl.DataFrame, context: Context, front: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return one row per cell that has a mean of both main metrics, with the columns that `operating_curve` draws.

    Args:
        answer: Answer of the query.
        context: Names the main metrics.
        front: Columns cell and on_front of the query `pareto_front`; by default no cell is on the front.
    """
    sets = answer.filter(pl.col("kind") != "sample", metric=context.diversity)
    sets = sets.filter(pl.col("kind") == sets["kind"].max())  # prompts, which have an interval, before cells
    across, up = _side(sets, "diversity"), _side(answer.filter(kind="sample", metric=context.fidelity), "fidelity")
    known = front if front is not None else pl.DataFrame(schema={"cell": pl.String, "on_front": pl.Boolean})
    return (
        across.join(up, on="cell")
        .drop_nulls(["diversity", "fidelity"])
        .join(known.select("cell", "on_front"), on="cell", how="left", maintain_order="left")
        .with_columns(
            pl.col("cell").replace_strict(context.words, default="", return_dtype=pl.String).alias("settings"),
            pl.col("on_front").fill_null(False),
        )
    )


def _side(answer: pl.DataFrame, name: str) -> pl.DataFrame:
    values = {"mean": name, "low": f"{name}_low", "high": f"{name}_high", "n": f"{name}_n"}
    return answer.select("cell", *(pl.col(column).alias(to) for column, to in values.items()))


def operating_curve(frame: pl.DataFrame, diversity: Axis, fidelity: Axis, cells: list[str]) -> alt.LayerChart:
    """Draw fidelity against diversity with both intervals; as wide as its container.

    Args:
        frame: One row per cell: cell, settings (words), diversity, diversity_low, diversity_high, diversity_n,
            fidelity, fidelity_low, fidelity_high, fidelity_n, on_front. Without an interval there is no bar. A line
            joins the front.
        diversity: The metric of the horizontal axis.
        fidelity: The metric of the vertical axis.
        cells: All cells of the run in their order, the baseline first.
    """
    scale, axis = alt.Scale(zero=False, padding=14), alt.Axis(tickCount=6)
    x = alt.X("diversity:Q", title=diversity.title, scale=scale, axis=axis)
    y = alt.Y("fidelity:Q", title=fidelity.title, scale=scale, axis=axis)
    layers: list[alt.Chart] = []
    if (known := frame.drop_nulls(["diversity_low", "diversity_high"])).height:
        bar = alt.Chart(rows(known)).mark_rule(strokeWidth=1.5).encode(cell_colour(cells), y, x2="diversity_high:Q")
        layers.append(bar.encode(alt.X("diversity_low:Q", title=diversity.title)))
    if (known := frame.drop_nulls(["fidelity_low", "fidelity_high"])).height:
        bar = alt.Chart(rows(known)).mark_rule(strokeWidth=1.5).encode(cell_colour(cells), x, y2="fidelity_high:Q")
        layers.append(bar.encode(alt.Y("fidelity_low:Q", title=fidelity.title)))
    front = frame.filter("on_front").sort("diversity")
    if front.height > 1:
        line = alt.Chart(rows(front)).mark_line(style="front", strokeWidth=1.25, interpolate="linear")
        layers.append(line.encode(x, y))
    for place, names in _named(frame):
        text = alt.Chart(rows(names)).encode(x, y, text="cell:N")
        layers.append(text.mark_text(style="halo", strokeWidth=4, fontSize=11.5, fontWeight=600, **place))
        layers.append(text.mark_text(fontSize=11.5, fontWeight=600, **place).encode(cell_colour(cells)))
    points = alt.Chart(rows(frame)).mark_point(filled=True, size=110, opacity=1)
    layers.append(points.encode(x, y, cell_colour(cells), cell_shape(cells), tooltip=_tooltip(diversity, fidelity)))
    return alt.LayerChart(layer=layers, width="container", height=340)


def _tooltip(diversity: Axis, fidelity: Axis) -> list[alt.Tooltip]:
    tooltips = [alt.Tooltip("cell:N"), alt.Tooltip("settings:N")]
    for name, axis in (("diversity", diversity), ("fidelity", fidelity)):
        tooltips += [
            alt.Tooltip(f"{name}:Q", title=axis.label, format=".4~f"),
            alt.Tooltip(f"{name}_low:Q", title="95% from", format=".4~f"),
            alt.Tooltip(f"{name}_high:Q", title="to", format=".4~f"),
            alt.Tooltip(f"{name}_n:Q", title="n", format=","),
        ]
    return tooltips


def _named(frame: pl.DataFrame) -> list[tuple[dict[str, Any], pl.DataFrame]]:
    """Group the points by the position of their names.

    A name that would cover another one, or a point, is left out: the legend has it.
    """
    x, y = (_pixels(frame, name, size) for name, size in (("diversity", _WIDTH), ("fidelity", -_HEIGHT)))
    taken = [(left - 6, left + 6, top - 6, top + 6) for left, top in zip(x, y, strict=True)]  # the points themselves
    chosen: dict[int, list[int]] = {}
    for row, name in enumerate(frame["cell"]):
        for number, place in enumerate(_PLACES):
            width = _LETTER * len(name)
            left = x[row] + place["dx"] - (width if place["align"] == "right" else 0)
            box = (left, left + width, y[row] + place["dy"] - _LINE / 2, y[row] + place["dy"] + _LINE / 2)
            inside = box[0] >= 0 and box[1] <= _WIDTH + 2 * _LETTER
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                chosen.setdefault(number, []).append(row)
                break
    return [(_PLACES[number], frame[numbers]) for number, numbers in sorted(chosen.items())]


def _pixels(frame: pl.DataFrame, name: str, size: float) -> list[float]:
    """Approximate positions of the points; the axis spans the intervals."""
    ends = [frame[column].drop_nulls().cast(pl.Float64) for column in (name, f"{name}_low", f"{name}_high")]
    low, high = extent(pl.concat(ends))
    return [(value - low) / ((high - low) or 1.0) * size for value in frame[name]]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
