"""Equivalence test: whether a difference that matters can be ruled out."""

import math

from scipy import stats

from skewbench.eval.statistics.paired import PairedChange


def equivalence(found: PairedChange, margin: float) -> float:
    """Test whether a change is within a margin, with two one-sided t tests (Schuirmann 1987).

    Args:
        found: The change, with its error and degrees of freedom.
        margin: Largest change that does not matter, in the unit of the change.

    Returns:
        The p-value. It is at most `a` if the interval of level 1 - 2 a lies within -margin .. margin; NaN without an
        error.

    Raises:
        ValueError: The margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin!r}: must be more than 0")
    if found.freedom < 1:
        return math.nan
    away = margin - abs(found.change)
    if found.error == 0:
        return 0.0 if away > 0 else 1.0
    return float(stats.t.sf(away / found.error, found.freedom))
