"""Ranks of values within a column when each row counts several times or not at all."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

BUDGET = 1 << 14
"""Elements of a temporary array: 128 KB, so that it stays in a processor's cache."""


def chunks(resamples: int, elements: int) -> Iterator[slice]:
    """Divide resamples so that temporary arrays stay small.

    Args:
        resamples: Number of resamples.
        elements: Elements of the largest temporary array, for each resample.

    Returns:
        Slices of the resamples, in order.
    """
    size = max(1, BUDGET // max(1, elements))
    for start in range(0, resamples, size):
        yield slice(start, min(resamples, start + size))


class WeightedRanks:
    """Columns that are sorted once, after which ranks under any weights are a running sum and a look-up.

    For row i of column j in resample r, `first[r, j, i]` is the weight of all rows below its value and `last[r, j, i]`
    that of all rows at or below it. (first + last + 1) / 2 is the average rank in the resample, with ties and repeats.
    """

    def __init__(self, columns: Float[np.ndarray, "n p"]) -> None:
        n, p = columns.shape
        order = np.argsort(columns.T, axis=1, kind="stable")
        in_order = np.take_along_axis(columns.T, order, axis=1)
        position = np.broadcast_to(np.arange(n), (p, n))
        opens = np.ones((p, n), bool)  # a new value begins here
        opens[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
        closes = np.ones((p, n), bool)
        closes[:, :-1] = opens[:, 1:]
        start = np.maximum.accumulate(np.where(opens, position, 0), axis=1)
        stop = np.minimum.accumulate(np.where(closes, position, n)[:, ::-1], axis=1)[:, ::-1] + 1
        offset = np.arange(p)[:, None] * (n + 1)  # into the flat running sums
        self._order = order
        self._first = np.empty((p, n), np.intp)
        self._last = np.empty((p, n), np.intp)
        np.put_along_axis(self._first, order, start + offset, axis=1)
        np.put_along_axis(self._last, order, stop + offset, axis=1)

    def __call__(
        self, weights: Float[np.ndarray, "r n"]
    ) -> tuple[Float[np.ndarray, "r p n"], Float[np.ndarray, "r p n"]]:
        p, n = self._order.shape
        running = np.zeros((len(weights), p, n + 1))
        np.cumsum(weights[:, self._order], axis=2, out=running[:, :, 1:])
        flat = running.reshape(len(weights), p * (n + 1))
        return flat[:, self._first], flat[:, self._last]


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
