"""Two groups that took turns in time: their difference, beside what drifted meanwhile."""

import math

import numpy as np
from jaxtyping import Bool, Float

from skewbench.eval.statistics.paired import PairedChange, paired_change, students


def in_turns(values: Float[np.ndarray, "n"], later: Bool[np.ndarray, "n"], level: float = 0.05) -> PairedChange:
    """Mean of the values of one group less that of the other's, in the order in which they were had.

    Where each group goes first in half of the turns: Student's t over the differences of neighbours, n / 2 - 1 degrees
    of freedom. What neighbours have in common counts for neither group, and a steady drift cancels. Where one group
    goes first more often, that test takes drift for a difference: then least squares on the group and a straight line
    of the place in the order, n - 3 degrees of freedom.

    Args:
        values: neighbours 2 i and 2 i + 1 are a turn, one of each group.
        later: which group each value is of; the difference is that of True less False.
        level: the interval is that of 1 - level.

    `n` of the result is the number of turns.
    """
    first, turns = later[::2], len(later) // 2
    if abs(2 * int(first.sum()) - turns) <= 1:
        changes = np.where(first, values[::2] - values[1::2], values[1::2] - values[::2])
        return paired_change(np.zeros(turns), changes, np.arange(turns), level)
    freedom = 2 * turns - 3
    design = np.column_stack([later, np.ones(2 * turns), np.linspace(-1, 1, 2 * turns)])
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ values
    residuals = values - design @ fitted
    error = math.sqrt(float(residuals @ residuals) / freedom * inverse[0, 0])
    return students(float(fitted[0]), error, freedom, level, turns, turns)
