"""A smooth line through many points, with an interval from resamples of whole prompts."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int


def smooth(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    clusters: npt.NDArray[np.integer],
    counts: Int[np.ndarray, "resamples clusters"],
    at: Float[np.ndarray, "m"],
    width: float,
) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """Fit a local linear mean with a pointwise 95% percentile interval (Fan, Gijbels 1996, section 2.3).

    Each resample needs only five sums per cluster and place, so nothing is fitted again.

    Args:
        x: Positions; shape (n).
        y: Values; shape (n).
        clusters: Cluster (prompt) of each row, as an index into the columns of `counts`; shape (n).
        counts: How often each cluster is drawn in each resample (`resample`); shape (resamples, clusters).
        at: Places at which to evaluate the line; shape (m).
        width: Standard deviation of the Gaussian kernel, in the unit of x.
    """
    away = x[:, None] - at[None, :]
    weight = np.exp(-0.5 * (away / width) ** 2)
    terms = (weight, weight * away, weight * away**2, weight * y[:, None], weight * away * y[:, None])
    sums = np.zeros((len(terms), counts.shape[1], len(at)))
    for total, term in zip(sums, terms, strict=True):
        np.add.at(total, clusters, term)
    line = _intercept(sums.sum(axis=1))
    draws = _intercept(np.einsum("rc,tcm->trm", counts.astype(float), sums, optimize=True))
    low, high = np.nanquantile(draws, [0.025, 0.975], axis=0)
    return line, low, high


def _intercept(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The local line's value at its centre; the weighted mean if all points have the same x."""
    s0, s1, s2, t0, t1 = sums
    spread = s0 * s2 - s1**2
    with np.errstate(divide="ignore", invalid="ignore"):
        line = np.where(spread > 1e-12 * s0**2, (s2 * t0 - s1 * t1) / spread, t0 / s0)
    return np.asarray(line)
