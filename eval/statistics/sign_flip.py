"""The sign-flip test: had nothing changed, a prompt's change could as well have had the other sign."""

from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int8

FLIPS = 19_999
"""Random flips, where there are too many prompts for all of them. The smallest p is then 1 / (FLIPS + 1)."""
EXACT = 14
"""Up to so many clusters all flips are taken: 2 ** 14 of them."""
_AT_ONCE = 1000


def sign_flip(
    changes: Float[np.ndarray, "n q"], clusters: npt.ArrayLike, flips: int = FLIPS, seed: int = 0
) -> Float[np.ndarray, "q"]:
    """Two-sided p-values of no change, one a column, by flipping the signs of whole clusters.

    The statistic is the mean change. All pairs of a cluster flip together, since they are not independent of one
    another, and all columns with them. The p-value is exact for few clusters, and valid for any number of random flips
    (Phipson, Smyth 2010); the least that g clusters can give is 2 ** (1 - g).

    Args:
        changes: a row a pair; NaN where a column has no pair. A column without any is NaN.
        clusters: each row's cluster (prompt): any labels.
    """
    labels, member = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(labels), changes.shape[1]))
    np.add.at(sums, member, np.nan_to_num(changes, nan=0.0))
    seen = np.abs(sums.sum(axis=0)) * (1 - 1e-9)  # a flip that gives the same but for rounding is as extreme
    signs = _signs(len(labels), flips, seed)
    extreme = np.zeros(changes.shape[1])
    for start in range(0, len(signs), _AT_ONCE):
        extreme += (np.abs(signs[start : start + _AT_ONCE].astype(float) @ sums) >= seen).sum(axis=0)
    p = extreme / len(signs)
    return np.where(np.isfinite(changes).any(axis=0), p, np.nan)


@lru_cache(maxsize=2)
def _signs(clusters: int, flips: int, seed: int) -> Int8[np.ndarray, "flips clusters"]:
    """All flips of few clusters, else random ones, of which the first, that of the data itself, flips nothing."""
    if clusters <= EXACT:
        return np.array(list(product((1, -1), repeat=clusters)), np.int8)
    drawn = np.random.default_rng(seed).integers(0, 2, (flips + 1, clusters), np.int8) * 2 - 1
    drawn[0] = 1
    return drawn.astype(np.int8)
