"""Tests from intervals, and correction for multiple tests."""

import numpy as np
import numpy.typing as npt
from scipy import stats


def benjamini_hochberg(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Adjust p-values for the false discovery rate (Benjamini, Hochberg 1995).

    Args:
        p: P-values of the whole table. NaN means no test: it stays NaN and does not count.

    Returns:
        Adjusted p-values (q) of the same shape.
    """
    values = np.asarray(p, float)
    adjusted = np.full(values.shape, np.nan)
    tested = np.isfinite(values)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(values[tested], method="bh")
    return adjusted


def p_of_interval(value: float, low: float, high: float, clusters: int) -> float:
    """Test a value against 0 by its 95% interval.

    The standard error is taken from the end of the interval that is nearer to 0, so that a p-value below 0.05 comes
    with an interval that excludes 0. The t distribution with clusters - 1 degrees of freedom makes up for intervals of
    few clusters, which are too short.

    Args:
        value: The value.
        low: Lower end of its 95% interval, clustered.
        high: Upper end.
        clusters: Number of clusters (prompts) that the value rests on, at least 2.

    Returns:
        Two-sided p-value; 1 where the interval does not reach from the value towards 0.
    """
    error = (value - low if value > 0 else high - value) / stats.norm.ppf(0.975)
    if error <= 0:
        return 1.0
    return float(2 * stats.t.sf(abs(value) / error, clusters - 1))
