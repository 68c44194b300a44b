"""The paired change between two columns of the same prompts and seeds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class PairedChange:
    """A mean change with its interval, standard error and p-value of no change; NaN without a degree of freedom."""

    change: float
    low: float
    high: float
    error: float
    p: float
    n: int
    clusters: int
    freedom: int
    """Degrees of freedom of the error."""


def paired_change(
    baseline: npt.ArrayLike, value: npt.ArrayLike, clusters: npt.ArrayLike, level: float = 0.05
) -> PairedChange:
    """Compute the mean paired change, with a standard error clustered by prompt (Liang, Zeger 1986).

    The interval and p-value are Student's with clusters - 1 degrees of freedom, which suits few clusters.

    Args:
        baseline: Values of the baseline; shape (n).
        value: Values of the same units under the knob; shape (n). Pairs with a non-finite side are left out.
        clusters: Cluster (prompt) of each row, as any label; shape (n).
        level: The interval has coverage 1 - level.
    """
    change = np.asarray(value, float) - np.asarray(baseline, float)
    finite = np.isfinite(change)
    change, n = change[finite], int(finite.sum())
    labels, member = np.unique(np.asarray(clusters)[finite], return_inverse=True)
    mean, groups = float(change.mean()) if n else float("nan"), len(labels)
    if groups < 2:
        return students(mean, float("nan"), 0, level, n, groups)
    residuals = np.bincount(member, change - mean, groups)
    error = float(np.sqrt(groups / (groups - 1) * (residuals**2).sum()) / n)
    return students(mean, error, groups - 1, level, n, groups)


def students(change: float, error: float, freedom: int, level: float, n: int, clusters: int) -> PairedChange:
    """Build a change with Student's interval and p-value.

    Args:
        change: The change.
        error: Its standard error.
        freedom: Degrees of freedom of the error.
        level: The interval has coverage 1 - level.
        n: Number of pairs.
        clusters: Number of clusters.
    """
    if freedom < 1:
        nan = float("nan")
        return PairedChange(change, nan, nan, nan, nan, n, clusters, 0)
    reach = float(stats.t.ppf(1 - level / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(change) / error, freedom)) if error > 0 else float(change == 0)
    return PairedChange(change, change - reach, change + reach, error, p, n, clusters, freedom)
