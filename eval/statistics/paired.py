"""The paired change between two columns of the same prompts and seeds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class PairedChange:
    """The mean change, its 95% interval and the p-value of no change; NaN where there are fewer than two clusters."""

    change: float
    low: float
    high: float
    p: float
    n: int
    clusters: int


def paired_change(baseline: npt.ArrayLike, value: npt.ArrayLike, clusters: npt.ArrayLike) -> PairedChange:
    """Mean of value - baseline over complete pairs, with the standard error clustered (Liang, Zeger 1986).

    The interval and p are Student's with clusters - 1 degrees of freedom, the small-sample form of the normal ones.

    Args:
        clusters: each row's cluster (prompt): any labels.
    """
    change = np.asarray(value, float) - np.asarray(baseline, float)
    finite = np.isfinite(change)
    change, n = change[finite], int(finite.sum())
    labels, member = np.unique(np.asarray(clusters)[finite], return_inverse=True)
    nan = float("nan")
    if not n:
        return PairedChange(nan, nan, nan, nan, 0, 0)
    mean, groups = float(change.mean()), len(labels)
    if groups < 2:
        return PairedChange(mean, nan, nan, nan, n, groups)
    residuals = np.bincount(member, change - mean, groups)
    error = float(np.sqrt(groups / (groups - 1) * (residuals**2).sum()) / n)
    student = stats.t(groups - 1)
    reach = float(student.ppf(0.975)) * error
    p = float(2 * student.sf(abs(mean) / error)) if error > 0 else (1.0 if mean == 0 else 0.0)
    return PairedChange(mean, mean - reach, mean + reach, p, n, groups)
