"""Names the defects of an image."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import UInt8

from skewbench.eval.binding.describe import Seen, describe
from skewbench.eval.binding.facts import facts
from skewbench.eval.binding.match import Matching, match
from skewbench.eval.scenes.captions import CaptionMeaning


@dataclass(frozen=True)
class Defect:
    """One defect. `phrases`: the indices of the phrases it is about; () for the background and for extra objects.

    `kind`: missing, fused, extra, wrong shape | colour | texture | size | relation | background; "colour swapped" or
    "texture swapped" where two objects have each other's, "leaked" where one has what belongs to another.
    """

    kind: str
    phrases: tuple[int, ...] = ()


def diagnose(image: UInt8[np.ndarray, "h w 3"], meaning: CaptionMeaning) -> list[Defect]:
    """List all defects of an image against its prompt; none for a faithful image.

    Nothing else is reported about an absent object, nor about the background of an image without objects. An absent
    object counts as fused, and not as missing, if the outline of another object matches no single shape. This is
    reliable in rendered images and a guess in badly generated ones. The scores do not distinguish the two.

    Args:
        image: sRGB pixels in 0..255; shape (h, w, 3).
        meaning: What the prompt says.

    Returns:
        Defects in the order: absent or fused objects, shapes, colours, textures, other statements, extra objects.
    """
    seen = describe(image)
    matching = match(meaning, seen)
    wrong = [
        fact
        for fact in facts(meaning, seen, matching)
        if not fact.right and matching and all(i in matching for i in fact.phrases)
    ]
    return [
        *_absent_or_fused(meaning, seen, matching),
        *(
            Defect("wrong shape", (i,))
            for i, j in sorted(matching.items())
            if seen.objects[j].shape != meaning.objects[i].shape
        ),
        *(defect for kind in ("colour", "texture") for defect in _attribute(kind, meaning, seen, matching)),
        *(
            Defect(f"wrong {fact.kind}", fact.phrases)
            for fact in wrong
            if fact.kind in ("size", "relation", "background")
        ),
        *(Defect("extra") for _ in range(len(seen.objects) - len(matching))),
    ]


def _absent_or_fused(meaning: CaptionMeaning, seen: Seen, matching: Matching) -> Iterable[Defect]:
    phrase_of = {j: i for i, j in matching.items()}
    for pair in sorted(seen.fused):
        yield Defect("fused", tuple(sorted(phrase_of[j] for j in pair if j in phrase_of)))
    absent = [i for i in range(len(meaning.objects)) if i not in matching]
    blobs = [j for j, thing in enumerate(seen.objects) if not thing.clean]
    for i in absent:
        if blobs:  # an absent object and an outline of no one shape: it is in there
            blob = blobs.pop(0)
            yield Defect("fused", tuple(sorted({i, phrase_of.get(blob, i)})))
        else:
            yield Defect("missing", (i,))


def _attribute(kind: str, meaning: CaptionMeaning, seen: Seen, matching: Matching) -> Iterable[Defect]:
    stated = {i: getattr(meaning.objects[i], kind) for i in matching}
    shown = {i: getattr(seen.objects[j], kind) for i, j in matching.items()}
    wrong = [i for i in sorted(matching) if stated[i] is not None and shown[i] != stated[i]]
    swapped: set[int] = set()
    for i, j in combinations(wrong, 2):
        if shown[i] == stated[j] and shown[j] == stated[i] and not swapped & {i, j}:
            swapped |= {i, j}
            yield Defect(f"{kind} swapped", (i, j))
    for i in wrong:
        if i in swapped:
            continue
        owners = [k for k, phrase in enumerate(meaning.objects) if k != i and getattr(phrase, kind) == shown[i]]
        yield Defect(f"{kind} leaked", (i, owners[0])) if owners else Defect(f"wrong {kind}", (i,))
