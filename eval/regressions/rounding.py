"""Decides which differences between two builds on the same device and versions are rounding.

In other batches, the same samples are summed in another order. docs/nightly.md has the measured effect. Half precision
keeps 3 decimal digits, bfloat16 2.
"""

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from skewbench.vocabulary.measures import MEASURES

IMAGE_LEVELS = 2
"""Pixels may differ by this many of 255 levels: 1 if a value is at a rounding boundary, doubled as a safety margin."""
_TOLERANCE = {"float32": 3e-4, "float16": 1e-2, "bfloat16": 5e-2}
_SIGNS = 2e-3
"""Share for measures that count signs. Rounding can turn the sign of a product that is almost zero."""
_COUNT_SIGNS = {measure.name for measure in MEASURES if measure.counts_signs}


def tolerance(dtype: str, measure: str = "") -> float:
    """Return the share of a value, or of the typical size of its measure, that counts as rounding.

    Args:
        dtype: Precision of the model: `float32`, `float16` or `bfloat16`.
        measure: Name of a stability measure; empty for other values.

    Returns:
        Share, in 0..1; larger for measures that count signs.
    """
    return max(_TOLERANCE[dtype], _SIGNS if measure in _COUNT_SIGNS else 0.0)


def beyond_rounding(
    before: Float[np.ndarray, "n"], value: Float[np.ndarray, "n"], share: float
) -> Bool[npt.NDArray, "n"]:
    """Return whether each pair differs by more than rounding.

    Non-finite values are equal if they are the same on both sides. A value that is not finite on one side only differs.

    Args:
        before: Values of the earlier run; shape (n).
        value: Values of the later run; shape (n).
        share: Share of the larger value, or of the root mean square of `before`, that is rounding (`tolerance`).

    Returns:
        True for each pair that differs by more; shape (n).
    """
    finite = np.isfinite(before)
    size = float(np.sqrt(np.mean(np.square(before[finite])))) if finite.any() else 0.0
    both = finite & np.isfinite(value)  # an infinite difference is no larger than a share of an infinite value
    with np.errstate(invalid="ignore"):
        close = both & (np.abs(value - before) <= share * np.maximum(np.maximum(np.abs(value), np.abs(before)), size))
    alike = (before == value) | (np.isnan(before) & np.isnan(value))
    return ~(close | alike)
