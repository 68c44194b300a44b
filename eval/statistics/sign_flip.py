"""Permutation test by sign flips: without an effect, the change of a prompt could equally have the opposite sign."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int8

FLIPS = 19_999
"""Default number of random flips, if there are too many prompts to try all."""
EXACT = 15
"""Up to this many clusters all flips are used: 2 ** 14, since a flip and its opposite are equivalent."""
_ENOUGH = 20
"""If more than this many of the first flips are as extreme as the data, no further flips are used."""
_AT_ONCE = 1000

Flips = Int8[np.ndarray, "flips clusters"]


def least_p(clusters: int, flips: int = FLIPS) -> float:
    """Return the smallest p-value that this number of clusters and random flips can give.

    Args:
        clusters: Number of clusters (prompts).
        flips: Number of random flips.

    Returns:
        p-value in (0, 2]; 1 or more if no test is possible.
    """
    return max(2.0 ** (1 - clusters), 1 / (flips + 1))


def sign_flip(
    changes: Float[np.ndarray, "n q"], clusters: npt.ArrayLike, flips: int = FLIPS, seed: int = 0
) -> Float[np.ndarray, "q"]:
    """Test each column for no mean change by flipping the signs of whole clusters.

    All pairs of a cluster flip together, since they are not independent, and so do all columns. The p-value is exact
    for few clusters and valid for any number of random flips (Phipson, Smyth 2010); the smallest one for g clusters is
    2 ** (1 - g).

    More than `FLIPS` flips are used only for columns whose p-value is still the smallest possible after these. P-values
    stay valid, since one that stops early is larger than it could become (Besag, Clifford 1991).

    Args:
        changes: One row per pair; NaN if a column lacks the pair; shape (n, q).
        clusters: Cluster (prompt) of each row, as any label; shape (n).
        flips: Number of random flips; all flips are used if there are no more than these.
        seed: Seed of the random flips.

    Returns:
        Two-sided p-values of shape (q); NaN for a column without pairs.
    """
    labels, member = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(labels), changes.shape[1]))
    np.add.at(sums, member, np.nan_to_num(changes, nan=0.0))
    every = 2 ** max(len(labels) - 1, 0)
    if len(labels) <= EXACT:
        p = _extreme(sums, _all(len(labels))) / every
    else:
        drawn = _drawn(len(labels), flips + 1, seed)
        extreme = _extreme(sums, islice(drawn, (FLIPS + 1) // _AT_ONCE))
        p = extreme / min(flips + 1, FLIPS + 1)
        rare = extreme <= _ENOUGH
        if flips > FLIPS and rare.any():
            if every <= flips:
                p[rare] = _extreme(sums[:, rare], _all(len(labels))) / every
            else:
                p[rare] = (extreme[rare] + _extreme(sums[:, rare], drawn)) / (flips + 1)
    return np.where(np.isfinite(changes).any(axis=0), p, np.nan)


def _extreme(sums: Float[np.ndarray, "g q"], flips: Iterable[Flips]) -> Float[np.ndarray, "q"]:
    """Count the flips whose sum of a column is at least as large as that of the data."""
    seen = np.abs(sums.sum(axis=0)) * (1 - 1e-9)  # a flip that gives the same but for rounding is as extreme
    found = np.zeros(sums.shape[1])
    for signs in flips:
        found += (np.abs(signs.astype(float) @ sums) >= seen).sum(axis=0)
    return found


def _all(clusters: int) -> Iterator[Flips]:
    """All flips, each without its opposite: the first cluster keeps its sign."""
    free = max(clusters - 1, 0)
    for start in range(0, 2**free, _AT_ONCE):
        numbers = np.arange(start, min(start + _AT_ONCE, 2**free))
        signs = np.ones((len(numbers), clusters), np.int8)
        signs[:, 1:] -= 2 * (numbers[:, None] >> np.arange(free) & 1).astype(np.int8)
        yield signs


def _drawn(clusters: int, count: int, seed: int) -> Iterator[Flips]:
    """Random flips, of which the first, that of the data itself, flips nothing."""
    random = np.random.default_rng(seed)
    for start in range(0, count, _AT_ONCE):
        signs = random.integers(0, 2, (min(_AT_ONCE, count - start), clusters), np.int8) * np.int8(2) - np.int8(1)
        if not start:
            signs[0] = 1
        yield signs
