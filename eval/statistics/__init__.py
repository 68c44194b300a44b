"""Statistics of samples that come in clusters: the seeds of a prompt are not independent of one another."""

from eval.statistics.bootstrap import Interval, interval, mean_draws, median_draws, resample
from eval.statistics.equivalence import equivalence
from eval.statistics.history import against_history
from eval.statistics.multiple import benjamini_hochberg
from eval.statistics.paired import PairedChange, paired_change
from eval.statistics.pareto import dominated_area, on_front
from eval.statistics.selection import worst_draws, worst_mean
from eval.statistics.sign_flip import FLIPS, least_p, sign_flip
from eval.statistics.smooth import smooth
from eval.statistics.spearman import Correlation, spearman, spearman_draws
from eval.statistics.turns import in_turns

__all__ = [
    "FLIPS",
    "Correlation",
    "Interval",
    "PairedChange",
    "against_history",
    "benjamini_hochberg",
    "dominated_area",
    "equivalence",
    "in_turns",
    "interval",
    "least_p",
    "mean_draws",
    "median_draws",
    "on_front",
    "paired_change",
    "resample",
    "sign_flip",
    "smooth",
    "spearman",
    "spearman_draws",
    "worst_draws",
    "worst_mean",
]
