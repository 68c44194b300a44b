"""Finds the texture of an object from its pixels: the dark share, and the direction of waves of the texture's
period."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from skewbench.eval.scenes.vocabulary import COLOURS, SHADE, TEXTURE_PERIOD

LEAST_DARK = 0.1
"""An object with this share of dark pixels is not solid; dots darken 0.31 of the plane, stripes 0.5."""
UNCLEAR_DARK = 0.25
"""Dark share at or above which a texture without a pattern is unclear; a smaller share is a blurred edge."""
LEAST_WAVE = 0.25
"""Amplitude, as a share of a perfect pattern's, below which dark pixels are neither stripes nor dots."""
SOFT_WAVE = 0.4
"""From this amplitude on they are a blurred pattern, even if few pixels are dark."""

_DIAGONAL = 1 / (TEXTURE_PERIOD * 2**0.5)
_STRIPE_WAVES = ((_DIAGONAL, _DIAGONAL), (_DIAGONAL, -_DIAGONAL))
_DOT_WAVES = ((1 / TEXTURE_PERIOD, 0.0), (0.0, 1 / TEXTURE_PERIOD))
_STRIPE_AMPLITUDE, _DOT_AMPLITUDE = 0.4, 0.2
"""Amplitude of the fundamental waves in rendered objects, with the bright part at 1 and the dark one at `SHADE`."""


def texture_of(image: Float[np.ndarray, "h w 3"], pixels: Bool[np.ndarray, "h w"], colour: str) -> str | None:
    """Find the texture of an object.

    Args:
        image: Pixels in 0..255 at the size of a scene; shape (h, w, 3).
        pixels: True where a pixel belongs to the object; shape (h, w).
        colour: Colour of the object, a key of `COLOURS`.

    Returns:
        A word of `TEXTURES`; None if parts are dark without either pattern.
    """
    inner = ndimage.binary_erosion(pixels)
    inner = inner if inner.any() else pixels
    rows, columns = np.nonzero(inner)
    bright = image[rows, columns] @ np.asarray(COLOURS[colour], np.float64)
    bright = np.clip(bright / max(float(np.percentile(bright, 90)), 1e-6), SHADE, 1.0)
    dark = (bright < (1 + SHADE) / 2).mean()
    wave = bright - bright.mean()

    def amplitude(fx: float, fy: float) -> float:
        return float(2 * np.abs(np.mean(wave * np.exp(2j * np.pi * (fx * columns + fy * rows)))))

    stripes = max(amplitude(*w) for w in _STRIPE_WAVES) / _STRIPE_AMPLITUDE
    dots = min(amplitude(*w) for w in _DOT_WAVES) / _DOT_AMPLITUDE  # a lattice has both of its waves
    if max(stripes, dots) < LEAST_WAVE:
        return "solid" if dark < UNCLEAR_DARK else None
    if max(stripes, dots) < SOFT_WAVE and dark < LEAST_DARK:
        return "solid"
    return "striped" if stripes > dots else "dotted"
