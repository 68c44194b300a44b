"""The paired change between two columns of the same prompts and seeds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class PairedChange:
    """The mean change, its interval and error, and the p-value of no change; NaN for fewer than two clusters."""

    change: float
    low: float
    high: float
    error: float
    p: float
    n: int
    clusters: int


def paired_change(
    baseline: npt.ArrayLike, value: npt.ArrayLike, clusters: npt.ArrayLike, level: float = 0.05
) -> PairedChange:
    """Mean of value - baseline over complete pairs, with the standard error clustered (Liang, Zeger 1986).

    The interval and p are Student's with clusters - 1 degrees of freedom, the small-sample form of the normal ones.

    Args:
        clusters: each row's cluster (prompt): any labels.
        level: the interval is that of 1 - level.
    """
    change = np.asarray(value, float) - np.asarray(baseline, float)
    finite = np.isfinite(change)
    change, n = change[finite], int(finite.sum())
    labels, member = np.unique(np.asarray(clusters)[finite], return_inverse=True)
    nan = float("nan")
    if not n:
        return PairedChange(nan, nan, nan, nan, nan, 0, 0)
    mean, groups = float(change.mean()), len(labels)
    if groups < 2:
        return PairedChange(mean, nan, nan, nan, nan, n, groups)
    residuals = np.bincount(member, change - mean, groups)
    error = float(np.sqrt(groups / (groups - 1) * (residuals**2).sum()) / n)
    reach = float(stats.t.ppf(1 - level / 2, groups - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, groups - 1)) if error > 0 else (1.0 if mean == 0 else 0.0)
    return PairedChange(mean, mean - reach, mean + reach, error, p, n, groups)
