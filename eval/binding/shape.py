"""Silhouette -> shape: overlap with the renderer's own outlines, after moving both to one centre and one area."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from skewbench.eval.scenes.render import OVERSAMPLING, shape_mask
from skewbench.eval.scenes.vocabulary import SHAPES, SIZE

_SIDE = 32
_SCALE = 0.5
"""Square root of the area, as a share of the frame's side: a cross or a star still fits."""
_RADII = (9.0, 14.0, 22.0)
"""Radius of each sharp template: an edge of one pixel weighs more in a small shape."""
_SOFT = ((9.0, 2.0),)
"""Radius and blur of further templates: a generative model rounds corners, so a small star becomes a pentagon."""
_SOFT_LEVEL = 0.4
"""Coverage at which a blurred template ends."""


@dataclass(frozen=True)
class ShapeMatch:
    """The shape that overlaps best. `x`, `y`, `radius` in pixels, as the renderer has them.

    `overlap`: IoU with the best template of the shape; `sharp_overlap`: with the best that is not blurred.
    """

    shape: str
    overlap: float
    sharp_overlap: float
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class _Templates:
    frames: Float[np.ndarray, "shapes templates side side"]  # the sharp ones first
    unit_area: Float[np.ndarray, " shapes"]
    unit_centroid: Float[np.ndarray, "shapes 2"]  # (x, y) from the anchor


def match_shape(silhouette: Bool[np.ndarray, "h w"]) -> ShapeMatch:
    """Find the shape that overlaps a silhouette best.

    Args:
        silhouette: True inside of the object, with at least one pixel; shape (h, w), in pixels of a scene.

    Returns:
        The shape with its overlaps (IoU), position and radius.
    """
    templates = _templates()
    area, x, y = _moments(silhouette.astype(np.float64))
    frame = _frame(silhouette.astype(np.float64), area, x, y)
    both = np.minimum(frame, templates.frames).sum(axis=(2, 3))
    either = np.maximum(frame, templates.frames).sum(axis=(2, 3))
    overlaps = both / either
    best = int(overlaps.max(axis=1).argmax())
    radius = float(np.sqrt(area / templates.unit_area[best]))
    dx, dy = templates.unit_centroid[best] * radius
    sharp = overlaps[best, : len(_RADII)]
    return ShapeMatch(SHAPES[best], float(overlaps[best].max()), float(sharp.max()), x - dx, y - dy, radius)


def _moments(mask: Float[np.ndarray, "h w"]) -> tuple[float, float, float]:
    """Area and centroid (x, y), pixel centres at halves."""
    area = mask.sum()
    columns, rows = np.arange(mask.shape[1]) + 0.5, np.arange(mask.shape[0]) + 0.5
    return float(area), float(mask.sum(axis=0) @ columns / area), float(mask.sum(axis=1) @ rows / area)


def _frame(mask: Float[np.ndarray, "h w"], area: float, x: float, y: float) -> Float[np.ndarray, "side side"]:
    """The mask moved to the middle of a square frame and scaled to one area."""
    step = np.sqrt(area) / (_SCALE * _SIDE)
    offset = (y - 0.5 - step * (_SIDE - 1) / 2, x - 0.5 - step * (_SIDE - 1) / 2)
    return ndimage.affine_transform(mask, [step, step], offset=offset, output_shape=(_SIDE, _SIDE), order=1)


@cache
def _templates() -> _Templates:
    frames, areas, centroids = [], [], []
    for shape in SHAPES:
        masks = [_drawn(shape, radius) for radius in _RADII]
        area, x, y = _moments(masks[-1])
        areas.append(area / _RADII[-1] ** 2)
        centroids.append(((x - SIZE / 2) / _RADII[-1], (y - SIZE / 2) / _RADII[-1]))
        blurred = (ndimage.gaussian_filter(_drawn(shape, radius), sigma) for radius, sigma in _SOFT)
        masks += [(mask > _SOFT_LEVEL).astype(np.float64) for mask in blurred]
        frames.append([_frame(mask, *_moments(mask)) for mask in masks])
    return _Templates(np.array(frames), np.array(areas), np.array(centroids))


def _drawn(shape: str, radius: float) -> Float[np.ndarray, "size size"]:
    """Coverage of the pixels by a shape in the middle of a scene, 0..1."""
    mask = shape_mask(shape, SIZE / 2, SIZE / 2, radius).reduce(OVERSAMPLING)
    return np.asarray(mask, np.float64) / 255
