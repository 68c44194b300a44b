"""Spearman's rank correlation with average ranks for ties, as in scipy, and its bootstrap."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from scipy import stats

from skewbench.eval.statistics.bootstrap import spread
from skewbench.eval.statistics.weighted_ranks import SortedColumn, chunks, complete_pairs


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
        member = clusters[rows]
        sorted_x = [SortedColumn(column, member) for column in x[rows][:, columns_x].T]
        sorted_y = [SortedColumn(column, member) for column in y[rows][:, columns_y].T]
        for some in chunks(len(counts), len(member)):
            draws[some][:, columns_x[:, None], columns_y[None, :]] = _correlations(
                sorted_x, sorted_y, counts[some], member
            )
    return draws


def _correlations(
    sorted_x: list[SortedColumn],
    sorted_y: list[SortedColumn],
    counts: Int[np.ndarray, "r clusters"],
    member: npt.NDArray[np.integer],
) -> Float[np.ndarray, "r p q"]:
    """The columns of x one after the other, so that temporary arrays stay small."""
    weights = np.take(counts, member, axis=1).astype(float)
    y = np.stack([_centred(column, counts, weights) for column in sorted_y], axis=1)
    weighted_y = y * weights[:, None]
    variance_y = np.einsum("rqn,rqn->rq", y, weighted_y)
    found = np.empty((len(counts), len(sorted_x), len(sorted_y)))
    for place, column in enumerate(sorted_x):
        x = _centred(column, counts, weights)
        variance_x = np.einsum("rn,rn->r", x, x * weights)
        scale = np.sqrt(variance_x[:, None] * variance_y)
        products = (weighted_y @ x[:, :, None])[:, :, 0]
        found[:, place] = np.divide(products, scale, out=np.full(scale.shape, np.nan), where=scale > 0)
    return found


def _centred(
    column: SortedColumn, counts: Int[np.ndarray, "r clusters"], weights: Float[np.ndarray, "r n"]
) -> Float[np.ndarray, "r n"]:
    """Twice the average ranks minus their mean: the mean of ranks 1..W is (W + 1) / 2 with any ties."""
    return column.ranks(counts) - weights.sum(axis=1)[:, None]
