"""Shuffles comparisons and their sides by a seed that is stored with each vote.

Place and side of a comparison depend on the seed and the comparison alone. So a session resumes in its order, also with
other cells beside, and whoever has the lake can compute both again.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from skewbench.tasks.rating.comparisons import Comparison


@dataclass(frozen=True)
class Placed:
    """A comparison as it is shown.

    Args:
        comparison: What is compared.
        left: Which of its two cells is on the left: 0 or 1.
        position: Its place in the session, from 1.
        seed: Seed of the shuffle.
    """

    comparison: Comparison
    left: int
    position: int
    seed: int

    @property
    def cells(self) -> tuple[str, str]:
        """The cells on the left and on the right."""
        return self.comparison.cells[self.left], self.comparison.cells[1 - self.left]

    @property
    def samples(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Ids of the samples on the left and on the right."""
        return self.comparison.samples[self.left], self.comparison.samples[1 - self.left]


def shuffled(comparisons: Iterable[Comparison], seed: int, most: int = 0) -> list[Placed]:
    """Shuffle comparisons and their sides.

    The order is that of SHA-256 over the seed and the comparison's key, as JSON; the last bit of this digest decides
    the side.

    Args:
        comparisons: The comparisons, in any order.
        seed: Seed of the shuffle.
        most: Number of comparisons to keep, the first of the shuffled; 0: all.
    """
    drawn = sorted(((_digest(seed, one), one) for one in comparisons), key=lambda pair: pair[0])
    kept = drawn[:most] if most else drawn
    return [Placed(one, int(digest, 16) % 2, position, seed) for position, (digest, one) in enumerate(kept, 1)]


def default_seed(run_id: str, rater: str, question: str) -> int:
    """Return a seed that differs between raters and is the same whenever a rater resumes.

    Args:
        run_id: The run.
        rater: Name of the rater.
        question: The question.
    """
    return int(sha256(json.dumps([run_id, rater, question]).encode()).hexdigest()[:8], 16)


def _digest(seed: int, comparison: Comparison) -> str:
    return sha256(json.dumps([seed, *comparison.key]).encode()).hexdigest()
