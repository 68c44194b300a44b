"""Two goals at once: which points no other one beats, and how much of the plane a set of points dominates."""

import numpy as np
from jaxtyping import Bool, Float


def on_front(points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    """Whether no other point is at least as good in both columns and better in one; more is better in each."""
    as_good = (points[None, :, :] >= points[:, None, :]).all(axis=-1)  # [i, j]: j is as good as i
    better = (points[None, :, :] > points[:, None, :]).any(axis=-1)
    return ~np.any(as_good & better, axis=1)


def dominated_area(
    points: Float[np.ndarray, "resamples n 2"], worst: Float[np.ndarray, "2"], best: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "resamples"]:
    """The area that the points of each resample dominate above `worst`, as a share of the box up to `best`.

    The hypervolume indicator in two dimensions (Zitzler, Thiele 1998). A point outside of the box counts as far as it
    reaches, so that resamples on either side of a point's mean count alike; NaN where the box or a point is not finite.
    """
    placed = np.clip((points - worst) / np.where(best > worst, best - worst, np.nan), 0.0, None)
    order = np.lexsort((-placed[..., 1], -placed[..., 0]), axis=-1)
    u, v = (np.take_along_axis(placed[..., goal], order, axis=-1) for goal in (0, 1))
    before = np.maximum.accumulate(v, axis=-1)[..., :-1]
    before = np.concatenate([np.zeros((len(v), 1)), before], axis=-1)
    area: Float[np.ndarray, resamples] = (u * np.maximum(0.0, v - before)).sum(axis=-1)
    return area
