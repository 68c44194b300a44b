"""Two objectives: the points on the Pareto front, and the area that a set of points dominates."""

import numpy as np
from jaxtyping import Bool, Float

ROUNDING = 1e-9
"""Means that differ by less than this share of the values' size are equal. A sum of n doubles depends on its order by
up to n x 1.1e-16 of their size: 1e-10 for a million images, and nobody tells settings that close apart."""


def on_front(points: Float[np.ndarray, "n 2"], size: Float[np.ndarray, "2"]) -> Bool[np.ndarray, "n"]:
    """Find the points that no other point dominates; larger is better in both columns.

    Args:
        points: Values in both objectives; shape (n, 2).
        size: Typical absolute value of each column, by which differences of rounding are recognised; shape (2).

    Returns:
        Whether no other point is at least as good in both columns and better in one; shape (n).
    """
    ahead = points[None, :, :] - points[:, None, :]  # [i, j]: advantage of j over i
    as_good = (ahead >= -ROUNDING * size).all(axis=-1)
    better = (ahead > ROUNDING * size).any(axis=-1)
    return ~np.any(as_good & better, axis=1)


def dominated_area(
    points: Float[np.ndarray, "resamples n 2"], members: Bool[np.ndarray, "n"], size: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "resamples"]:
    """Compute the area that some points dominate, as a share of the box from the worst to the best of all points.

    This is the hypervolume indicator in two dimensions (Zitzler, Thiele 1998). Each resample has the box of its own
    points, so that a prompt that moves all cells alike does not change the share.

    Args:
        points: Values in both objectives by resample; shape (resamples, n, 2).
        members: Which points dominate; shape (n).
        size: As in `on_front`.

    Returns:
        Shares of shape (resamples). NaN if a resample has no value of a member, or no box since all points are equal in
        a column.
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
