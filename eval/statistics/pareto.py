"""Two goals at once: which points no other one beats, and how much of the plane a set of points dominates."""

import numpy as np
from jaxtyping import Bool, Float

ROUNDING = 1e-9
"""Means that differ by less than this share of the values' size are equal. A sum of n doubles depends on its order by
up to n x 1.1e-16 of their size: 1e-10 for a million images, and nobody tells settings that close apart."""


def on_front(points: Float[np.ndarray, "n 2"], size: Float[np.ndarray, "2"]) -> Bool[np.ndarray, "n"]:
    """Whether no other point is at least as good in both columns and better in one; more is better in each.

    Args:
        size: of the values behind each column, such as the mean of what they are without their sign.
    """
    ahead = points[None, :, :] - points[:, None, :]  # [i, j]: by how much j is better than i
    as_good = (ahead >= -ROUNDING * size).all(axis=-1)
    better = (ahead > ROUNDING * size).any(axis=-1)
    return ~np.any(as_good & better, axis=1)


def dominated_area(
    points: Float[np.ndarray, "resamples n 2"], members: Bool[np.ndarray, "n"], size: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "resamples"]:
    """The area that the members among the points dominate, as a share of the box from the worst to the best of all.

    The hypervolume indicator in two dimensions (Zitzler, Thiele 1998). Each resample has the box of its own points, as
    the run has that of its means: a prompt that is drawn twice moves all cells alike, and so moves no share. NaN where
    a resample has no member's value, or where all its points are equal in a column: then there is no box.

    Args:
        size: as in `on_front`.
    """
    worst, best = np.fmin.reduce(points, axis=1), np.fmax.reduce(points, axis=1)  # of the points that are there
    extent = best - worst
    wide = (extent > ROUNDING * size).all(axis=-1, keepdims=True)
    placed = (points[:, members] - worst[:, None]) / np.where(wide, extent, np.nan)[:, None]
    order = np.lexsort((-placed[..., 1], -placed[..., 0]), axis=-1)
    u, v = (np.take_along_axis(placed[..., goal], order, axis=-1) for goal in (0, 1))
    before = np.maximum.accumulate(v, axis=-1)[..., :-1]
    before = np.concatenate([np.zeros((len(v), 1)), before], axis=-1)
    area: Float[np.ndarray, resamples] = (u * np.maximum(0.0, v - before)).sum(axis=-1)
    return area
