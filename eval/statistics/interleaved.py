"""Interleaved A/B runs: the difference of two groups, corrected for a drift over time."""

import math

import numpy as np
from jaxtyping import Bool, Float

from skewbench.eval.statistics.paired import PairedChange, paired_change, students


def in_turns(values: Float[np.ndarray, "n"], later: Bool[np.ndarray, "n"], level: float = 0.05) -> PairedChange:
    """Estimate the difference of means of two groups whose values were measured in turns.

    If each group goes first in half of the turns, this is Student's t test over the differences of neighbours, with n /
    2 - 1 degrees of freedom: what neighbours share cancels, and so does a steady drift. If one group goes first more
    often, that test would take drift for a difference. Then least squares fits the group and a straight line in the
    position, with n - 3 degrees of freedom.

    Args:
        values: Values in the order of measurement; 2 i and 2 i + 1 form a turn, one of each group; shape (n).
        later: Whether each value belongs to the second group; shape (n).
        level: The interval has coverage 1 - level.

    Returns:
        Mean of the second group minus that of the first, with interval and p-value; `n` is the number of turns.
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
