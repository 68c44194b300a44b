"""Writes true captions of scenes in several phrasings, and parses them.

A caption states nothing false, but it may leave out size, texture, background and relation. Only what it states is
scored; the rest is free.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skewbench.eval.scenes.scene import Object, Scene, relation
from skewbench.eval.scenes.vocabulary import BACKGROUNDS, COLOURS, SHAPES, SIZES, TEXTURES

SAY_SIZE, SAY_TEXTURE, SAY_BACKGROUND, SAY_RELATION = 0.5, 0.75, 0.6, 0.8
"""Chance that a caption states each of these."""

_OPENINGS = ("", "", "a picture of ", "a drawing of ")
RELATION_WORDS = {
    "left of": ("to the left of", "left of"),
    "right of": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "inside": ("inside", "inside"),
}
WORDS = sorted(
    {*COLOURS, *SHAPES, *TEXTURES, *SIZES, *BACKGROUNDS}
    | {"a", "an", "and", "background", "drawing", "is", "of", "on", "picture", "the", "to", "which"}
    | {word for phrases in RELATION_WORDS.values() for phrase in phrases for word in phrase.split()}
)
"""Every word of the grammar: the vocabulary of the bundled model's tokenizer."""


@dataclass(frozen=True)
class ObjectPhrase:
    """The statements of a caption about one object; None for omitted attributes.

    `parse_caption` reads no phrase without a colour.
    """

    colour: str | None
    shape: str
    texture: str | None
    size: str | None


@dataclass(frozen=True)
class CaptionMeaning:
    """The statements of a caption: objects in order, relations as (index, relation, index), the background."""

    objects: tuple[ObjectPhrase, ...]
    relations: tuple[tuple[int, str, int], ...]
    background: str | None


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """Write a random true caption of a scene.

    Args:
        scene: The scene.
        rng: Random generator for phrasing, order and omissions of the caption.

    Returns:
        A caption that `parse_caption` can read. It names each object with its colour and shape.
    """
    order = [int(i) for i in rng.permutation(len(scene.objects))]
    named = [scene.objects[i] for i in order]
    phrases = [_object_phrase(thing, rng) for thing in named]
    links = [relation(a, b) for a, b in pairwise(named)]
    if all(links) and links and rng.random() < SAY_RELATION:
        text = phrases[0]
        for i, link in enumerate(links):
            words = str(rng.choice(RELATION_WORDS[str(link)]))
            text += f"{', which is' if i else ''} {words} {phrases[i + 1]}"
    elif len(phrases) > 1:
        text = f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    else:
        text = phrases[0]
    if rng.random() >= SAY_BACKGROUND:
        return str(rng.choice(_OPENINGS)) + text
    ground = f"on a {scene.background} background"
    if rng.random() < 0.25:
        return f"{ground}, {text}"
    return f"{rng.choice(_OPENINGS)}{text} {ground}"


def _object_phrase(thing: Object, rng: np.random.Generator) -> str:
    words = [
        *([thing.size] if rng.random() < SAY_SIZE else []),
        *([thing.texture] if rng.random() < SAY_TEXTURE else []),
        thing.colour,
        thing.shape,
    ]
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}"


def _any(words: Iterable[str]) -> str:
    return "|".join(words)


_OBJECT = re.compile(
    rf"\ban? (?:({_any(SIZES)}) )?(?:({_any(TEXTURES)}) )?({_any(COLOURS)}) ({_any(SHAPES)})\b",
)
_BACKGROUND = re.compile(rf"\bon an? ({_any(BACKGROUNDS)}) background\b")
_RELATION = {phrase: name for name, phrases in RELATION_WORDS.items() for phrase in phrases}
_LINK = re.compile(rf"^(?:, which is)? ({_any(sorted(_RELATION, key=len, reverse=True))}) $")


def parse_caption(text: str) -> CaptionMeaning | None:
    """Parse a caption of this grammar.

    Args:
        text: A caption, in upper or lower case.

    Returns:
        The meaning; None if the text names no object of the grammar. Text outside the grammar is ignored.
    """
    found = list(_OBJECT.finditer(text.lower()))
    if not found:
        return None
    relations = []
    for i, (a, b) in enumerate(pairwise(found)):
        link = _LINK.match(text.lower()[a.end() : b.start()])
        if link:
            relations.append((i, _RELATION[link[1]], i + 1))
    ground = _BACKGROUND.search(text.lower())
    objects = tuple(ObjectPhrase(size=m[1], texture=m[2], colour=m[3], shape=m[4]) for m in found)
    return CaptionMeaning(objects, tuple(relations), ground[1] if ground else None)
