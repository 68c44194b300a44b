"""Means over the worst share of the rows, selected by another column.

Rows selected as the worst regress to the mean when measured again. The swap control removes this: it is half of (the
change on the baseline's worst minus the opposite change on the knob's worst), which is zero if the two are
exchangeable.
"""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from skewbench.eval.statistics.bootstrap import spread
from skewbench.eval.statistics.weighted_ranks import SortedColumn, chunks, complete_pairs


def worst_mean(chosen: npt.ArrayLike, values: npt.ArrayLike, fraction: float) -> float:
    """Compute the mean of `values` over the rows with the lowest `chosen`.

    Rows with equal values at the edge share the remaining places, so that order does not matter: the mean is the
    expected one under random tie-breaking.

    Args:
        chosen: The column that selects; shape (n).
        values: The column to average; shape (n).
        fraction: Share of the rows to select: round(fraction n), at least one.

    Returns:
        The mean; NaN if fewer than two rows are complete.
    """
    one = np.asarray(chosen, float)[:, None], np.asarray(values, float)[:, None]
    once = np.ones((1, len(one[0])), np.int32)
    return float(worst_draws(*one, np.arange(len(one[0])), once, fraction)[0, 0, 0])


def worst_draws(
    chosen: Float[np.ndarray, "n p"],
    values: Float[np.ndarray, "n q"],
    clusters: npt.NDArray[np.integer],
    counts: Int[np.ndarray, "resamples clusters"],
    fraction: float,
) -> Float[np.ndarray, "resamples p q"]:
    """Compute `worst_mean` of each column of values by each column of chosen, with a new selection in each resample.

    Args:
        chosen: Columns that select; shape (n, p).
        values: Columns to average; shape (n, q).
        clusters: Cluster (prompt) of each row, as an index into the columns of `counts`; shape (n).
        counts: How often each cluster is drawn in each resample (`resample`); shape (resamples, clusters).
        fraction: Share of the rows to select.

    Returns:
        Means of shape (resamples, p, q); NaN if the complete rows belong to one cluster.

    Raises:
        ValueError: The fraction is outside (0, 0.5].
    """
    if not 0 < fraction <= 0.5:
        raise ValueError(f"fraction {fraction!r}: must be more than 0 and at most 0.5")
    draws = np.full((len(counts), chosen.shape[1], values.shape[1]), np.nan)
    for rows, columns, measured in complete_pairs(chosen, values):
        n = int(rows.sum())
        if not spread(clusters[rows]):
            continue
        share = max(1, int(np.floor(fraction * n + 0.5))) / n
        change, member = values[rows][:, measured], clusters[rows]
        for column in columns:
            in_order = SortedColumn(chosen[rows][:, column], member)
            change_in_order = change[in_order.order]
            for some in chunks(len(counts), n):
                taken, room = _taken(in_order, counts[some], share)
                sums = taken @ change_in_order[: taken.shape[1]]
                means = np.divide(sums, room, out=np.full(sums.shape, np.nan), where=room > 0)
                draws[some][:, column, measured] = means
    return draws


def _taken(
    column: SortedColumn, counts: Int[np.ndarray, "r clusters"], share: float
) -> tuple[Float[np.ndarray, "r m"], Float[np.ndarray, "r 1"]]:
    """How often each of the lowest rows is taken, in sorted order, and the sum over the rows.

    A row below the edge is taken as often as it is drawn, a row above it never. Equal rows at the edge divide the rest.
    """
    below, up_to = column.weight_below(counts)
    room = share * up_to[:, -1:]
    lowest = int((below < room).sum(axis=1).max())
    below, up_to, weights = below[:, :lowest], up_to[:, :lowest], column.weights(counts)[:, :lowest]
    equals = np.maximum(up_to - below, 1)  # 0 only if neither the row nor its equals are drawn
    return np.minimum((room - below) / equals, 1.0).clip(0.0) * weights, room
