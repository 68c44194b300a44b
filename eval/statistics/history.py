"""Compares one new value with earlier ones, such as the time of one night with those of earlier nights."""

import math

import numpy as np
import numpy.typing as npt

from skewbench.eval.statistics.paired import PairedChange, students


def against_history(earlier: npt.ArrayLike, now: float, level: float = 0.05) -> PairedChange:
    """Compare a positive value with the geometric mean of earlier ones, as a log ratio.

    The error is that of predicting one more value, s sqrt(1 + 1/n), so that a night as noisy as the others is not
    significant. The test is Student's with n - 1 degrees of freedom.

    Args:
        earlier: The n earlier values, in the unit of `now`.
        now: The new value.
        level: The interval has coverage 1 - level.

    Returns:
        The log ratio with interval and p-value; NaN for fewer than two earlier values.
    """
    logs = np.log(np.asarray(earlier, float))
    n, change = len(logs), float(math.log(now) - logs.mean()) if len(logs) else math.nan
    error = float(logs.std(ddof=1) * math.sqrt(1 + 1 / n)) if n > 1 else math.nan
    return students(change, error, n - 1, level, n, n)
