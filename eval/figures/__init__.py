"""Charts: a Polars frame in, an altair chart out. One figure a file; colours and fonts are the reader's (`theme`)."""

from skewbench.eval.figures.blocks_steps import blocks_by_steps
from skewbench.eval.figures.change import change_by_regime
from skewbench.eval.figures.correlations import correlations, correlations_narrow
from skewbench.eval.figures.curve import Axis, operating_curve
from skewbench.eval.figures.profile import profile
from skewbench.eval.figures.scatter import change_by_alignment
from skewbench.eval.figures.theme import Colours, config, extent, symmetric
from skewbench.eval.figures.words import MEASURES, measure_label

__all__ = [
    "MEASURES",
    "Axis",
    "Colours",
    "blocks_by_steps",
    "change_by_alignment",
    "change_by_regime",
    "config",
    "correlations",
    "correlations_narrow",
    "extent",
    "measure_label",
    "operating_curve",
    "profile",
    "symmetric",
]
