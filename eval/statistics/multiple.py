"""Correction for multiple tests."""

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
