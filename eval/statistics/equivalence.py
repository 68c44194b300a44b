"""Equivalence: not "no difference was seen", but "no difference that matters is left"."""

import math

from scipy import stats

from skewbench.eval.statistics.paired import PairedChange


def equivalence(found: PairedChange, margin: float) -> float:
    """p-value of two one-sided tests that the change lies within -margin .. margin (Schuirmann 1987).

    It is at most `a` where the interval of level 1 - 2 a lies within the margin. Student's with the degrees of
    freedom of the change's error; NaN where it has none.

    Raises:
        ValueError: a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin!r}: more than 0")
    if found.freedom < 1:
        return math.nan
    away = margin - abs(found.change)
    if found.error == 0:
        return 0.0 if away > 0 else 1.0
    return float(stats.t.sf(away / found.error, found.freedom))
