"""One new value beside earlier ones: of nights there is but one tonight."""

import math

import numpy as np
import numpy.typing as npt

from skewbench.eval.statistics.paired import PairedChange, students


def against_history(earlier: npt.ArrayLike, now: float, level: float = 0.05) -> PairedChange:
    """How far a positive value lies from the geometric mean of earlier ones, as a log ratio, with its interval.

    The error is that of predicting one more value, s sqrt(1 + 1/n), so that a night as noisy as the others does not
    stand out; Student's with n - 1 degrees of freedom. NaN for fewer than two earlier values.
    """
    logs = np.log(np.asarray(earlier, float))
    n, change = len(logs), float(math.log(now) - logs.mean()) if len(logs) else math.nan
    error = float(logs.std(ddof=1) * math.sqrt(1 + 1 / n)) if n > 1 else math.nan
    return students(change, error, n - 1, level, n, n)
