"""Bootstrap clustered by prompt: whole prompts are resampled, with all their seeds.

A resample is a count per cluster, and statistics use the counts as weights of the rows, so that no rows are copied or
sorted again. A single cluster has no spread, so its draws are NaN. Source: Efron, Tibshirani, An Introduction to the
Bootstrap (1993); Davison, Hinkley (1997), section 3.8.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from skewbench.eval.statistics.weighted_ranks import chunks


@dataclass(frozen=True)
class Interval:
    """A percentile interval. Both ends are NaN if fewer than half of the resamples gave a number."""

    low: float
    high: float


def resample(clusters: int, resamples: int, seed: int = 0) -> Int[np.ndarray, "resamples clusters"]:
    """Draw bootstrap resamples of clusters, with replacement.

    Args:
        clusters: Number of clusters, and of draws per resample.
        resamples: Number of resamples.
        seed: Seed of the random generator.

    Returns:
        How often each cluster is drawn in each resample; shape (resamples, clusters).
    """
    if clusters < 1 or resamples < 1:
        raise ValueError(f"a bootstrap needs at least one cluster and one resample, got {clusters} and {resamples}")
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, clusters), np.int32)
    for row in counts:
        row[:] = np.bincount(rng.integers(clusters, size=clusters), minlength=clusters)
    return counts


def mean_draws(
    values: Float[np.ndarray, "n q"], clusters: npt.NDArray[np.integer], counts: Int[np.ndarray, "resamples clusters"]
) -> Float[np.ndarray, "resamples q"]:
    """Compute the mean of each column over its finite values in each resample.

    Args:
        values: One row per unit; shape (n, q).
        clusters: Cluster (prompt) of each row, as an index into the columns of `counts`; shape (n).
        counts: How often each cluster is drawn in each resample (`resample`); shape (resamples, clusters).

    Returns:
        Means of shape (resamples, q). NaN if a resample has no finite value; a column with finite values in fewer than
        two clusters is all NaN, since every resample would give the same mean.
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
    """Compute the median of each column over its finite values in each resample.

    Args:
        values: One row per unit; shape (n, q).
        clusters: Cluster (prompt) of each row, as an index into the columns of `counts`; shape (n).
        counts: How often each cluster is drawn in each resample (`resample`); shape (resamples, clusters).

    Returns:
        Medians of shape (resamples, q). NaN as in `mean_draws`.
    """
    draws = np.full((len(counts), values.shape[1]), np.nan)
    for column, all_values in enumerate(values.T):
        order = np.argsort(all_values, kind="stable")[: int(np.isfinite(all_values).sum())]  # NaN sorts last
        in_order, member = all_values[order], clusters[order]
        if not spread(member):
            continue
        for some in chunks(len(counts), len(member)):
            running = np.cumsum(counts[some][:, member], axis=1)
            total = running[:, -1:]
            lower, upper = ((running > half).argmax(axis=1) for half in ((total - 1) // 2, total // 2))
            middle = (in_order[lower] + in_order[upper]) / 2
            draws[some, column] = np.where(total[:, 0] > 0, middle, np.nan)
    return draws


def spread(clusters: npt.NDArray[np.integer]) -> bool:
    """Return whether the rows belong to at least two clusters.

    Args:
        clusters: Cluster of each row; shape (n), n may be 0.
    """
    return bool(len(clusters)) and bool((clusters != clusters[0]).any())


def interval(draws: Float[np.ndarray, "resamples"], level: float = 0.95) -> Interval:
    """Compute the percentile interval of a statistic.

    Args:
        draws: The statistic in each resample; non-finite draws are left out.
        level: Coverage of the interval.

    Returns:
        The interval; NaN if fewer than half of the draws are finite.
    """
    finite = draws[np.isfinite(draws)]
    if len(finite) * 2 < len(draws) or not len(finite):
        return Interval(np.nan, np.nan)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
