"""Damages a rendered image mildly, as a generative model does: blur, noise, colours slightly off."""

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage
from scipy.spatial.transform import Rotation

from skewbench.eval.scoring.images import LUMA

BLUR = 0.7
"""Greatest sigma in pixels."""
NOISE = 6.0
"""Greatest sigma, in units of 0..255."""
BRIGHTNESS, SATURATION, HUE = 0.08, 0.1, 4.0
"""Greatest change: as a share, as a share, in degrees about the grey axis."""


def degrade(image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """Damage an image at random, up to the limits above.

    Args:
        image: sRGB pixels in 0..255; shape (h, w, 3).
        rng: Random generator.

    Returns:
        An image of the same shape and range.
    """
    blur = rng.uniform(0, BLUR)
    pixels = ndimage.gaussian_filter(image.astype(np.float64), (blur, blur, 0))
    grey = (pixels @ LUMA)[..., None]
    pixels = grey + (pixels - grey) * rng.uniform(1 - SATURATION, 1 + SATURATION)
    turn = Rotation.from_rotvec(np.ones(3) / 3**0.5 * rng.uniform(-HUE, HUE), degrees=True)
    pixels = pixels @ turn.as_matrix().T * rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS)
    pixels += rng.normal(scale=rng.uniform(0, NOISE), size=pixels.shape)
    return pixels.round().clip(0, 255).astype(np.uint8)
