"""The theme of the figures: each cell has one colour-blind safe colour in all figures, and every mark shows data.

Charts contain no colours; `config` adds them. A page can therefore use CSS variables and follow its reader's light or
dark scheme, and a notebook plain colours: `chart.configure(**config())`.
"""

from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")


@dataclass(frozen=True)
class Colours:
    """CSS colours. `cells`: the baseline first, then the others; `diverging`: from negative to positive."""

    ink: str = "#1c2127"
    faint: str = "#5b6570"
    line: str = "#d9dee3"
    paper: str = "#ffffff"
    # Okabe and Ito's set, darkened if it would be faint on white; the baseline is grey
    cells: tuple[str, ...] = ("#5f6873", "#0072b2", "#d55e00", "#00835f", "#b04a8c", "#a87400", "#3591c9", "#7a5c3e")
    diverging: tuple[str, ...] = (
        *("#e08a4f", "#eaa675", "#f2c29d", "#f9dfca", "#f4f5f6"),
        *("#d6e5f3", "#afcde8", "#85b3dc", "#5a98ce"),
    )
    sequential: tuple[str, ...] = (
        *("#f3f7f5", "#dbebe4", "#bfdcd2", "#9fcbc0", "#7cb8ae"),
        *("#58a39d", "#3a8c8b", "#207376", "#0c5a60"),
    )


def config(colours: Colours | None = None, legends: bool = True) -> dict[str, Any]:
    """Return the configuration of Vega-Lite charts.

    Args:
        colours: Colours of the theme; default: those for a light background.
        legends: Whether charts have legends. A page may show its own legend instead.

    Returns:
        Value of `config` in a Vega-Lite specification.
    """
    c = colours or Colours()
    text = {"font": FONT, "fontSize": 12, "color": c.ink}
    axis = {
        "labelFont": FONT,
        "titleFont": FONT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": c.ink,
        "titleColor": c.faint,
        "gridColor": c.line,
        "domainColor": c.line,
        "tickColor": c.line,
        "titlePadding": 8,
    }
    legend = {"labelFont": FONT, "titleFont": FONT, "labelColor": c.ink, "titleColor": c.faint, "labelFontSize": 12}
    return {
        "background": "transparent",
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "axis": axis,
        "axisQuantitative": {"labelFlush": False, "labelOverlap": "greedy"},
        "header": {"labelFont": FONT, "labelFontSize": 12, "labelColor": c.ink, "title": None, "labelFontWeight": 600},
        "legend": legend | {"titleFontWeight": "normal", "disable": not legends},
        "title": text | {"anchor": "start", "fontWeight": 600},
        "text": text,
        "range": {
            "category": list(c.cells),
            "diverging": list(c.diverging),
            "heatmap": list(c.sequential),
            "symbol": list(SHAPES),
        },
        "style": {
            "faint": {"color": c.faint},
            "ground": {"stroke": c.paper},
            "hollow": {"fill": c.paper},
            "halo": {"fill": c.paper, "stroke": c.paper},
            "zero": {"color": c.ink, "strokeDash": [3, 3]},
            "boundary": {"color": c.line},
            "front": {"color": c.faint, "strokeDash": [5, 3]},
            "dot": {"color": c.faint},
            "band": {"color": c.cells[:2][-1]},
            "smooth": {"color": c.cells[:2][-1]},
        },
    }


def rows(frame: pl.DataFrame) -> alt.Data:
    """Turn a frame into the data of a chart.

    Args:
        frame: Any columns that JSON can hold.

    Returns:
        One object per row. Non-finite numbers become null, since JSON has no NaN; floats keep six significant digits.
    """
    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name).round_sig_figs(6)).alias(name) for name in floats]
    return alt.Data(values=frame.with_columns(finite).to_dicts())


def cell_colour(cells: list[str], **legend: Any) -> alt.Color:
    """Encode cells by colour, in the order of the experiment, so that each has the same colour in all figures of a run.

    Args:
        cells: All cells of the run in their order, the baseline first.
        legend: Further arguments of `altair.Color`.

    Returns:
        The encoding of the field `cell`.
    """
    return alt.Color("cell:N", title=None, scale=alt.Scale(domain=cells), **legend)


def cell_shape(cells: list[str]) -> alt.Shape:
    """Encode cells by shape in addition to colour, so that either is enough to tell cells apart.

    Args:
        cells: All cells of the run in their order, the baseline first.

    Returns:
        The encoding of the field `cell`.
    """
    return alt.Shape("cell:N", title=None, scale=alt.Scale(domain=cells))


def extent(values: pl.Series) -> list[float]:
    """Return the smallest and the largest value as the domain of an axis.

    Args:
        values: Finite numbers, at least one.

    Returns:
        [smallest, largest].
    """
    return [float(values.to_numpy().min()), float(values.to_numpy().max())]


def symmetric(values: pl.Series, least: float = 0.0) -> list[float]:
    """Return a domain around 0 that contains all values.

    Args:
        values: Numbers; nulls are ignored.
        least: The domain reaches at least from -least to least.

    Returns:
        [-bound, bound].
    """
    bound = max([least, *values.drop_nulls().abs()])
    return [-bound, bound]
