"""The bootstrap clustered by prompt: whole prompts are drawn, with all their seeds.

A resample is a count for each cluster, and a statistic takes the counts as weights of the rows. So nothing is copied
or sorted again. What a single cluster carries has no spread: its draws are NaN. Efron, Tibshirani, An Introduction to
the Bootstrap (1993); Davison, Hinkley (1997), section 3.8.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Interval:
    """A percentile interval; both ends NaN where fewer than half of the resamples gave a number."""

    low: float
    high: float


def resample(clusters: int, resamples: int, seed: int = 0) -> Int[np.ndarray, "resamples clusters"]:
    """How often each cluster is drawn in each resample of `clusters` draws with replacement."""
    if clusters < 1 or resamples < 1:
        raise ValueError(f"a bootstrap needs clusters and resamples, got {clusters} and {resamples}")
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, clusters), np.int32)
    for row in counts:
        row[:] = np.bincount(rng.integers(clusters, size=clusters), minlength=clusters)
    return counts


def mean_draws(
    values: Float[np.ndarray, "n q"], clusters: npt.NDArray[np.integer], counts: Int[np.ndarray, "resamples clusters"]
) -> Float[np.ndarray, "resamples q"]:
    """The mean of each column in each resample, over its finite values. NaN where a resample has none.

    All NaN where fewer than two clusters have any: each resample would give the same.

    Args:
        clusters: each row's cluster, an index into the columns of `counts`.
    """
    finite = np.isfinite(values)
    totals = np.zeros((counts.shape[1], values.shape[1]))
    sizes = np.zeros_like(totals)
    np.add.at(totals, clusters, np.where(finite, values, 0.0))
    np.add.at(sizes, clusters, finite.astype(float))
    sizes[:, (sizes > 0).sum(axis=0) < 2] = 0.0
    weights = counts.astype(float)
    n = weights @ sizes
    return np.divide(weights @ totals, n, out=np.full(n.shape, np.nan), where=n > 0)


def median_draws(
    values: Float[np.ndarray, "n q"], clusters: npt.NDArray[np.integer], counts: Int[np.ndarray, "resamples clusters"]
) -> Float[np.ndarray, "resamples q"]:
    """The median of each column in each resample, over its finite values. NaN as in `mean_draws`."""
    draws = np.full((len(counts), values.shape[1]), np.nan)
    for column, all_values in enumerate(values.T):
        order = np.argsort(all_values, kind="stable")[: int(np.isfinite(all_values).sum())]  # NaN sorts last
        in_order, member = all_values[order], clusters[order]
        if not spread(member):
            continue
        for row, count in enumerate(counts):
            running = np.cumsum(count[member])
            if len(running) and (total := running[-1]):
                lower, upper = np.searchsorted(running, [(total - 1) // 2, total // 2], side="right")
                draws[row, column] = (in_order[lower] + in_order[upper]) / 2
    return draws


def spread(clusters: npt.NDArray[np.integer]) -> bool:
    """Whether rows of these clusters are of two clusters at least."""
    return bool(len(clusters)) and bool((clusters != clusters[0]).any())


def interval(draws: Float[np.ndarray, "resamples"], level: float = 0.95) -> Interval:
    """The percentile interval of one statistic's draws; resamples in which it has no value are left out."""
    finite = draws[np.isfinite(draws)]
    if len(finite) * 2 < len(draws) or not len(finite):
        return Interval(np.nan, np.nan)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
