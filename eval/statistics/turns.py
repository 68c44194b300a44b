"""Two groups that took turns in time: their difference, beside what drifted meanwhile."""

import math

import numpy as np
from jaxtyping import Bool, Float

from eval.statistics.paired import PairedChange, students


def in_turns(values: Float[np.ndarray, "n"], later: Bool[np.ndarray, "n"], level: float = 0.05) -> PairedChange:
    """Mean of the values of one group less that of the other's, in the order in which they were had.

    Least squares on the group and a straight line of the place in the order, so that a steady drift counts for neither
    group; Student's with n - 3 degrees of freedom. A drift that is not steady makes neighbours alike, and neighbours
    are of both groups: it widens the interval more than it moves the difference. (A t test over the differences of
    neighbours has half the degrees of freedom, and takes drift for a difference where one group always comes first.)

    Args:
        later: which group each value is of; the difference is that of True less False.
        level: the interval is that of 1 - level.

    `n` of the result is the number of turns, the values of the smaller group. NaN for fewer than four values.
    """
    n, members = len(values), min(int(later.sum()), int((~later).sum()))
    if n < 4 or not members:
        return students(math.nan, math.nan, 0, level, members, n)
    design = np.column_stack([later, np.ones(n), np.linspace(-1, 1, n)])
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ values
    residuals = values - design @ fitted
    error = math.sqrt(float(residuals @ residuals) / (n - 3) * inverse[0, 0])
    return students(float(fitted[0]), error, n - 3, level, members, n)
