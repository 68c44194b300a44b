"""Shared by charts: the theme, and charts of several queries. Each takes a Polars frame and returns an Altair chart.

The chart of a single query is in its folder, `figure.py`. Colours and fonts come from `theme`.
"""

from skewbench.eval.figures.change import change_by_regime
from skewbench.eval.figures.file import draw
from skewbench.eval.figures.shares import shares
from skewbench.eval.figures.theme import Colours, cell_colour, cell_shape, config, extent, rows, symmetric

__all__ = [
    "Colours",
    "cell_colour",
    "cell_shape",
    "change_by_regime",
    "config",
    "draw",
    "extent",
    "rows",
    "shares",
    "symmetric",
]
