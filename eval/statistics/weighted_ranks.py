"""Ranks of a column when each row counts several times or not at all, as it does in a bootstrap resample."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

BUDGET = 1 << 14
"""Elements of a temporary array: 128 KB, so that it stays in a processor's cache."""


def chunks(resamples: int, elements: int) -> Iterator[slice]:
    """Divide resamples so that temporary arrays stay small.

    Args:
        resamples: Number of resamples.
        elements: Elements of a temporary array, for each resample.

    Returns:
        Slices of the resamples, in order.
    """
    size = max(1, BUDGET // max(1, elements))
    for start in range(0, resamples, size):
        yield slice(start, min(resamples, start + size))


class SortedColumn:
    """A column that is sorted once. Ranks in any resample are then a running sum, whose integers are exact.

    Args:
        values: The column, without NaN; shape (n).
        clusters: Cluster (prompt) of each row, as an index into the columns of `counts`; shape (n).
    """

    order: Int[np.ndarray, "n"]
    """The rows from the lowest value to the highest."""

    def __init__(self, values: Float[np.ndarray, "n"], clusters: npt.NDArray[np.integer]) -> None:
        self.order = np.argsort(values, kind="stable")
        self._cluster = clusters[self.order].astype(np.intp)
        self._place = np.empty(len(values), np.intp)
        self._place[self.order] = np.arange(len(values))
        self._ends = _ends_of_equals(values[self.order])

    def weights(self, counts: Int[np.ndarray, "r clusters"]) -> Int[np.ndarray, "r n"]:
        """Return how often each row is drawn, in sorted order.

        Args:
            counts: How often each cluster is drawn in each resample; shape (r, clusters).
        """
        return np.take(counts, self._cluster, axis=1)

    def weight_below(
        self, counts: Int[np.ndarray, "r clusters"]
    ) -> tuple[Int[np.ndarray, "r n"], Int[np.ndarray, "r n"]]:
        """Return the weight of all rows below each row's value, and of all rows at or below it, in sorted order.

        Args:
            counts: How often each cluster is drawn in each resample; shape (r, clusters).
        """
        running = np.empty((len(counts), len(self.order) + 1), np.int64)
        running[:, 0] = 0
        np.cumsum(self.weights(counts), axis=1, out=running[:, 1:], dtype=np.int64)
        if self._ends is None:
            return running[:, :-1], running[:, 1:]
        start, stop = self._ends
        return np.take(running, start, axis=1), np.take(running, stop, axis=1)

    def ranks(self, counts: Int[np.ndarray, "r clusters"]) -> Int[np.ndarray, "r n"]:
        """Return twice the average rank of each row in each resample, less 1, in the order of the rows.

        Args:
            counts: How often each cluster is drawn in each resample; shape (r, clusters).
        """
        below, up_to = self.weight_below(counts)
        return np.take(below + up_to, self._place, axis=1)


def _ends_of_equals(in_order: Float[np.ndarray, "n"]) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]] | None:
    """For each row, the first row with an equal value and the row after the last one; None if no values are equal."""
    opens = np.ones(len(in_order), bool)  # a new value begins here
    opens[1:] = in_order[1:] != in_order[:-1]
    if opens.all():
        return None
    starts = np.flatnonzero(opens)
    group = np.cumsum(opens) - 1
    return starts[group], np.append(starts[1:], len(in_order))[group]


def complete_pairs(
    x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n q"]
) -> Iterator[tuple[Bool[np.ndarray, "n"], Int[np.ndarray, "some"], Int[np.ndarray, "others"]]]:
    """Group pairs of columns by their complete rows.

    Args:
        x: Columns of one side; shape (n, p).
        y: Columns of the other side; shape (n, q).

    Returns:
        Blocks (rows, columns of x, columns of y) whose pairs are all complete in the same rows.
    """
    finite_y = [(mask, columns) for mask, columns in _by_mask(y)]
    for mask_x, columns_x in _by_mask(x):
        blocks: dict[bytes, tuple[np.ndarray, list[int]]] = {}
        for mask_y, columns_y in finite_y:
            rows = mask_x & mask_y
            blocks.setdefault(rows.tobytes(), (rows, []))[1].extend(columns_y)
        for rows, columns in blocks.values():
            yield rows, np.array(columns_x), np.array(columns)


def _by_mask(values: Float[np.ndarray, "n p"]) -> list[tuple[Bool[np.ndarray, "n"], list[int]]]:
    masks: dict[bytes, tuple[np.ndarray, list[int]]] = {}
    for column, finite in enumerate(np.isfinite(values).T):
        masks.setdefault(finite.tobytes(), (finite, []))[1].append(column)
    return list(masks.values())
