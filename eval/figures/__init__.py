"""What charts share: the theme, and charts of several queries. A Polars frame in, an altair chart out.

A query's own chart stands in its folder, `figure.py`. Colours and fonts are the reader's (`theme`).
"""

from skewbench.eval.figures.change import change_by_regime
from skewbench.eval.figures.file import draw
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
    "symmetric",
]
