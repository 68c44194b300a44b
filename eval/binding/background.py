"""Pixels outside the objects -> background, by their level and spread."""

import numpy as np
from jaxtyping import Bool, Float

LEAST_PIXELS = 64
_SPREAD_WEIGHT = 2.0
_LOOKS = {"white": (244.0, 0.0), "grey": (128.0, 0.0), "black": (20.0, 0.0), "checkered": (173.0, 46.0)}
"""Median grey and distance of its 10th and 90th percentiles, as rendered."""


def background_of(image: Float[np.ndarray, "h w 3"], ground: Bool[np.ndarray, "h w"]) -> str | None:
    """Return the background that is nearest in grey level and spread.

    Args:
        image: Pixels in 0..255; shape (h, w, 3).
        ground: True where a pixel belongs to the background; shape (h, w).

    Returns:
        A word of `BACKGROUNDS`; None if fewer than `LEAST_PIXELS` pixels of the background are visible.
    """
    grey = image[ground].mean(axis=-1)
    if len(grey) < LEAST_PIXELS:
        return None
    low, level, high = np.percentile(grey, (10, 50, 90))
    level = (low + high) / 2 if high - low > 23 else level  # the median of a checkerboard is one of its two greys
    return min(
        _LOOKS,
        key=lambda name: abs(level - _LOOKS[name][0]) + _SPREAD_WEIGHT * abs(high - low - _LOOKS[name][1]),
    )
