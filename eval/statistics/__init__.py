"""Statistics of samples that come in clusters: the seeds of a prompt are not independent of one another."""

from skewbench.eval.statistics.bootstrap import Interval, interval, mean_draws, median_draws, resample
from skewbench.eval.statistics.equivalence import equivalence
from skewbench.eval.statistics.history import against_history
from skewbench.eval.statistics.interleaved import in_turns
from skewbench.eval.statistics.multiple import benjamini_hochberg, p_of_interval
from skewbench.eval.statistics.paired import PairedChange, paired_change
from skewbench.eval.statistics.pareto import dominated_area, on_front
from skewbench.eval.statistics.selection import worst_draws, worst_mean
from skewbench.eval.statistics.sign_flip import FLIPS, least_p, sign_flip
from skewbench.eval.statistics.smooth import smooth
from skewbench.eval.statistics.spearman import Correlation, spearman, spearman_draws

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
    "p_of_interval",
    "paired_change",
    "resample",
    "sign_flip",
    "smooth",
    "spearman",
    "spearman_draws",
    "worst_draws",
    "worst_mean",
]
