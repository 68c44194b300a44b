"""Matches phrases and objects so that as many stated attributes as possible hold, shape before colour."""

from itertools import combinations

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from skewbench.eval.binding.describe import Seen, SeenObject
from skewbench.eval.scenes.captions import CaptionMeaning, ObjectPhrase

WEIGHTS = {"shape": 1.0, "colour": 0.8, "texture": 0.4, "size": 0.3}
"""Shape weighs most: if two colours are swapped, each shape keeps its phrase and has the wrong colour."""
RELATION_WEIGHT = 0.2
ASPECT = 1.2
"""A direction holds if the offset on its axis is this many times that on the other; captions state it from 1.5."""

Matching = dict[int, int]
"""Index of a phrase -> index of its object; a phrase without one is absent."""


def match(meaning: CaptionMeaning, seen: Seen) -> Matching:
    """Match phrases and objects so that as many statements as possible hold.

    A phrase and an object that share neither shape nor colour never match. Solved as an assignment
    (`scipy.optimize.linear_sum_assignment`) by `WEIGHTS`; relations then decide between equal objects.

    Args:
        meaning: What the prompt says.
        seen: The description of the image.

    Returns:
        Index of a phrase -> index of its object; absent objects have no entry.
    """
    if not seen.objects:
        return {}
    merit = np.array([[_merit(phrase, thing) for thing in seen.objects] for phrase in meaning.objects])
    rows, columns = linear_sum_assignment(merit, maximize=True)
    matching = {int(i): int(j) for i, j in zip(rows, columns, strict=True) if merit[i, j] > 0}
    return _settle(meaning, seen, merit, matching)


def relation_holds(relation: str, a: int, b: int, seen: Seen) -> bool:
    """Return whether object `a` has a relation to object `b`.

    Args:
        relation: A word of `RELATIONS`, such as `left of`.
        a: Index of the first object in `seen.objects`.
        b: Index of the second object.
        seen: The description of the image.

    Returns:
        False for a direction between objects of which one is inside the other.
    """
    if relation == "inside":
        return (a, b) in seen.inside
    if (a, b) in seen.inside or (b, a) in seen.inside:
        return False
    dx, dy = seen.objects[a].x - seen.objects[b].x, seen.objects[a].y - seen.objects[b].y
    along, across = (dx, dy) if relation in ("left of", "right of") else (dy, dx)
    ahead = -along if relation in ("left of", "above") else along
    return bool(ahead > 0 and ahead >= ASPECT * abs(across))


def _merit(phrase: ObjectPhrase, thing: SeenObject) -> float:
    if phrase.shape != thing.shape and phrase.colour != thing.colour:
        return 0.0
    return sum(weight for name, weight in WEIGHTS.items() if getattr(phrase, name) == getattr(thing, name))


def _settle(meaning: CaptionMeaning, seen: Seen, merit: Float[np.ndarray, "p o"], matching: Matching) -> Matching:
    """Exchange two phrases' objects if more statements then hold: relations distinguish equal objects."""

    def total(m: Matching) -> float:
        holds = (a in m and b in m and relation_holds(r, m[a], m[b], seen) for a, r, b in meaning.relations)
        return sum(float(merit[i, j]) for i, j in m.items()) + RELATION_WEIGHT * sum(holds)

    for a, b in combinations(sorted(matching), 2):
        exchanged = {**matching, a: matching[b], b: matching[a]}
        if merit[a, exchanged[a]] > 0 < merit[b, exchanged[b]] and total(exchanged) > total(matching) + 1e-9:
            matching = exchanged
    return matching
