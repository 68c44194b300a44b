"""Charts: a Polars frame in, an altair chart out. One figure a file; colours and fonts are the reader's (`theme`)."""

from eval.figures.blocks_steps import blocks_by_steps
from eval.figures.change import change_by_regime
from eval.figures.correlations import correlations, correlations_narrow
from eval.figures.curve import Axis, operating_curve
from eval.figures.profile import profile
from eval.figures.scatter import change_by_alignment
from eval.figures.theme import Colours, config, extent, symmetric
from eval.figures.words import MEASURES, measure_label, metric_label, metric_meaning

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
    "metric_label",
    "metric_meaning",
    "operating_curve",
    "profile",
    "symmetric",
]
