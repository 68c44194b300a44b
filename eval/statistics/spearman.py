"""Spearman's rank correlation with average ranks for ties, as in scipy, and its bootstrap."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from scipy import stats

from skewbench.eval.statistics.bootstrap import spread
from skewbench.eval.statistics.weighted_ranks import WeightedRanks, chunks, complete_pairs


@dataclass(frozen=True)
class Correlation:
    """A correlation. rho is NaN if one side is constant or n < 2."""

    rho: float
    n: int


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> Correlation:
    """Compute Spearman's rho of two columns, as `scipy.stats.spearmanr` does.

    Args:
        x: One side; shape (n).
        y: The other side; shape (n). Pairs with a non-finite value are left out.

    Returns:
        The correlation and the number of pairs that were used.
    """
    a, b = np.asarray(x, float), np.asarray(y, float)
    both = np.isfinite(a) & np.isfinite(b)
    n = int(both.sum())
    ranks_a, ranks_b = stats.rankdata(a[both]), stats.rankdata(b[both])
    if n < 2 or np.ptp(ranks_a) == 0 or np.ptp(ranks_b) == 0:
        return Correlation(float("nan"), n)
    return Correlation(float(np.corrcoef(ranks_a, ranks_b)[0, 1]), n)


def spearman_draws(
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n q"],
    clusters: npt.NDArray[np.integer],
    counts: Int[np.ndarray, "resamples clusters"],
) -> Float[np.ndarray, "resamples p q"]:
    """Compute rho of each column of x with each column of y in each resample, with the ranks of the resample.

    Args:
        x: Columns of one side; shape (n, p).
        y: Columns of the other side; shape (n, q). Non-finite values are left out pair by pair.
        clusters: Cluster (prompt) of each row, as an index into the columns of `counts`; shape (n).
        counts: How often each cluster is drawn in each resample (`resample`); shape (resamples, clusters).

    Returns:
        Correlations of shape (resamples, p, q). NaN if one side is constant in a resample, or if a pair has rows of one
        cluster only.
    """
    draws = np.full((len(counts), x.shape[1], y.shape[1]), np.nan)
    for rows, columns_x, columns_y in complete_pairs(x, y):
        if not spread(clusters[rows]):
            continue
        places_x, places_y = WeightedRanks(x[rows][:, columns_x]), WeightedRanks(y[rows][:, columns_y])
        member = clusters[rows]
        for some in chunks(len(counts), len(member) * max(len(columns_x), len(columns_y))):
            weights = counts[some][:, member].astype(float)
            ranks_x, ranks_y = _centred(*places_x(weights), weights), _centred(*places_y(weights), weights)
            draws[some][:, columns_x[:, None], columns_y[None, :]] = _correlation(ranks_x, ranks_y, weights)
    return draws


def _centred(
    first: Float[np.ndarray, "r p n"], last: Float[np.ndarray, "r p n"], weights: Float[np.ndarray, "r n"]
) -> Float[np.ndarray, "r p n"]:
    """Twice the average ranks minus their mean: the mean of ranks 1..W is (W + 1) / 2 with any ties."""
    first += last
    first -= weights.sum(axis=1)[:, None, None]
    return first


def _correlation(
    x: Float[np.ndarray, "r p n"], y: Float[np.ndarray, "r q n"], weights: Float[np.ndarray, "r n"]
) -> Float[np.ndarray, "r p q"]:
    """Sums of products of integers, so that their order does not matter."""
    weighted_x, weighted_y = x * weights[:, None], y * weights[:, None]
    variance_x = np.einsum("rpn,rpn->rp", x, weighted_x)
    variance_y = np.einsum("rqn,rqn->rq", y, weighted_y)
    scale = np.sqrt(variance_x[:, :, None] * variance_y[:, None, :])
    return np.divide(x @ weighted_y.swapaxes(1, 2), scale, out=np.full(scale.shape, np.nan), where=scale > 0)
