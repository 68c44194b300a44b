"""Judges each statement of a prompt as right or wrong in an image, and computes metrics from these facts.

A phrase states its presence (an object of its shape, whole, not fused with another one) and its colour; texture, size,
relations and the background count only if the prompt states them. If an object is absent, all statements of its phrase
are wrong.
"""

from dataclasses import dataclass

from skewbench.eval.binding.describe import Seen
from skewbench.eval.binding.match import Matching, relation_holds
from skewbench.eval.scenes.captions import CaptionMeaning
from skewbench.eval.scoring.contract import Score

ATTRIBUTES = ("colour", "texture", "size")


@dataclass(frozen=True)
class Fact:
    """One statement.

    `kind`: presence, colour, texture, size, relation or background; `phrases`: the indices of the phrases it is about.
    """

    kind: str
    phrases: tuple[int, ...]
    right: bool


def facts(meaning: CaptionMeaning, seen: Seen, matching: Matching) -> list[Fact]:
    """Judge each statement of a prompt.

    Args:
        meaning: What the prompt says.
        seen: The description of the image.
        matching: Index of a phrase -> index of its object (`match`).

    Returns:
        One fact per statement: phrase by phrase, then relations, then the background.
    """
    fused = {index for pair in seen.fused for index in pair}
    stated = []
    for i, phrase in enumerate(meaning.objects):
        thing = seen.objects[matching[i]] if i in matching else None
        whole = thing is not None and matching[i] not in fused
        stated.append(Fact("presence", (i,), thing is not None and whole and thing.shape == phrase.shape))
        for kind in ATTRIBUTES:
            wanted = getattr(phrase, kind)
            if wanted is not None:
                stated.append(Fact(kind, (i,), thing is not None and getattr(thing, kind) == wanted))
    for a, relation, b in meaning.relations:
        holds = a in matching and b in matching and relation_holds(relation, matching[a], matching[b], seen)
        stated.append(Fact("relation", (a, b), holds))
    if meaning.background is not None:
        # without an object the background does not count, or a black frame would get half a scene right
        stated.append(Fact("background", (), bool(matching) and seen.background == meaning.background))
    return stated


def binding(stated: list[Fact], extra: int) -> Score:
    """Compute the share of the statements that are right; each unrequested object counts as one more wrong statement.

    Args:
        stated: All statements of the prompt.
        extra: Number of objects that match no phrase.

    Returns:
        Score in 0..1.
    """
    return Score(sum(fact.right for fact in stated) / (len(stated) + extra))


def part(stated: list[Fact], kind: str) -> Score:
    """Compute the share of the statements of one kind that are right.

    Args:
        stated: All statements of the prompt.
        kind: Kind of a `Fact`.

    Returns:
        Score in 0..1; None if the prompt has no statement of this kind.
    """
    right = [fact.right for fact in stated if fact.kind == kind]
    return Score(sum(right) / len(right)) if right else Score(None, f"the prompt states no {kind}")


def leak(meaning: CaptionMeaning, seen: Seen, matching: Matching) -> Score:
    """Compute the share of found objects' attributes that the prompt gives to another object, and not to this one.

    Only colours and textures count that the prompt states, and only if another phrase states a different value. Sizes
    do not count: there are two, so a wrong one is always the other's. Absent objects have no attributes: read the score
    beside `binding_presence`.

    Args:
        meaning: What the prompt says.
        seen: The description of the image.
        matching: Index of a phrase -> index of its object (`match`).

    Returns:
        Score in 0..1; None for fewer than two phrases, if no object was found, or if no attribute could leak.
    """
    if len(meaning.objects) < 2:
        return Score(None, "the prompt states one object: nothing to leak to")
    if not matching:
        return Score(None, "no object of the prompt was found")
    leaks = []
    for i, j in matching.items():
        for kind in ("colour", "texture"):
            own = getattr(meaning.objects[i], kind)
            others = {getattr(phrase, kind) for phrase in meaning.objects} - {own, None}
            if own is not None and others:
                leaks.append(getattr(seen.objects[j], kind) in others)
    return Score(sum(leaks) / len(leaks)) if leaks else Score(None, "the prompt states no attribute that could leak")
