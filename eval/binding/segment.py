"""Pixels -> regions of one colour: hue names the colour, chroma separates figure from ground.

Works in the opponent plane (alpha, beta) = (R - (G + B) / 2, sqrt(3) / 2 (G - B)): mixing with a grey moves a colour
towards the origin and keeps its angle, so antialiased edges and dark stripes stay with their object.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from skewbench.eval.scenes.vocabulary import COLOURS

LEAST_CHROMA = 20.0
"""Pixels with less chroma are background for any hue; in units of 0..255."""
RELATIVE_CHROMA = 0.22
"""Pixels below this share of their hue's strong chroma are ground too: above an edge's glow, below a stripe (0.35)."""
LEAST_AREA = 40
"""Regions with fewer pixels are ignored; the smallest object of a scene has 110."""
SMOOTHING = 0.6
"""Sigma of the smoothing that reduces noise in hue, in pixels."""
REACH = 3.0
"""Greatest distance of edge pixels from the core of their region, in pixels."""

_CROSS = ndimage.generate_binary_structure(2, 1)
_BLOCK = ndimage.generate_binary_structure(2, 2)


@dataclass(frozen=True)
class Region:
    """Connected pixels of one colour; `silhouette` has its holes filled."""

    colour: str
    pixels: Bool[np.ndarray, "h w"]
    silhouette: Bool[np.ndarray, "h w"]


def opponent(rgb: Float[np.ndarray, "*n 3"]) -> tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n"]]:
    """Project colours into the opponent plane.

    Args:
        rgb: Pixels in 0..255; shape (..., 3).

    Returns:
        (alpha, beta), in units of 0..255; shape (...) each.
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    return red - (green + blue) / 2, (green - blue) * (3**0.5 / 2)


@cache
def _colour_of_degree() -> Int[np.ndarray, "360"]:
    """Index of the colour nearest in hue, by whole degrees."""
    alpha, beta = opponent(np.array(list(COLOURS.values()), dtype=np.float64))
    hues = np.degrees(np.arctan2(beta, alpha))
    apart = np.abs((np.arange(360)[:, None] + 0.5 - hues + 180) % 360 - 180)
    return apart.argmin(axis=1)


def colour_of(alpha: Float[np.ndarray, "*n"], beta: Float[np.ndarray, "*n"]) -> Int[np.ndarray, "*n"]:
    """Find the colour nearest in hue.

    Args:
        alpha: First opponent coordinate; any shape.
        beta: Second opponent coordinate; the same shape.

    Returns:
        Index into `COLOURS`; the same shape.
    """
    return _colour_of_degree()[np.degrees(np.arctan2(beta, alpha)).astype(np.int64) % 360]


def figure(image: Float[np.ndarray, "h w 3"]) -> Int[np.ndarray, "h w"]:
    """Separate figure from ground and find the colour of each pixel.

    Args:
        image: Pixels in 0..255; shape (h, w, 3).

    Returns:
        Index into `COLOURS`, -1 for ground; shape (h, w).
    """
    alpha, beta = (ndimage.gaussian_filter(c, SMOOTHING, truncate=3.0) for c in opponent(image))
    chroma = np.hypot(alpha, beta)
    colour = colour_of(alpha, beta)
    strong = chroma > LEAST_CHROMA
    threshold = np.full(len(COLOURS), LEAST_CHROMA)
    for c in np.unique(colour[strong]):
        threshold[c] = max(LEAST_CHROMA, RELATIVE_CHROMA * np.percentile(chroma[strong & (colour == c)], 90))
    return np.where(chroma > threshold[colour], colour, -1)


def segment(image: Float[np.ndarray, "h w 3"]) -> list[Region]:
    """Find the regions of one colour in an image.

    Args:
        image: Pixels in 0..255; shape (h, w, 3).

    Returns:
        Regions of at least `LEAST_AREA` pixels, largest silhouette first.
    """
    labels = figure(image)
    seeds = np.zeros(labels.shape, np.int32)
    colours: list[str] = []
    for c in np.unique(labels[labels >= 0]):
        # opening drops the rim of mixed hue between two objects, which is a pixel or two wide
        parts, count = ndimage.label(ndimage.binary_opening(labels == c, _CROSS), _BLOCK)
        for part in range(1, count + 1):
            inside = parts == part
            if inside.sum() >= LEAST_AREA:
                colours.append(list(COLOURS)[c])
                seeds[inside] = len(colours)
    if not colours:
        return []
    grown = _grow(seeds, labels >= 0)
    masks = [grown == i + 1 for i in range(len(colours))]
    regions = [
        Region(colour, mask, ndimage.binary_fill_holes(mask)) for colour, mask in zip(colours, masks, strict=True)
    ]
    return sorted(regions, key=lambda region: -int(region.silhouette.sum()))


def _grow(seeds: Int[np.ndarray, "h w"], within: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Assign the figure's other pixels to the nearest seed within reach."""
    distance, (rows, columns) = ndimage.distance_transform_edt(seeds == 0, return_indices=True)
    return np.where(within & (distance <= REACH), seeds[rows, columns], 0)
