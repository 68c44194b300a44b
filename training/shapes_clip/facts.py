"""The facts of a scene or caption as a row of zeros and ones, on which both towers are trained first.

Single attributes cannot tell a red circle beside a blue square from a blue circle beside a red square; so a fact is
always two attributes of one object, or a relation between one attribute of an object and one of another.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations, product
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skewbench.eval.scenes.captions import RELATION_WORDS
from skewbench.eval.scenes.scene import Scene, relation
from skewbench.eval.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    NAMELESS_SHAPES,
    RELATIONS,
    SHAPES,
    SIZE,
    SIZES,
    TEXTURES,
)

Fact = tuple[str, ...]
Named = Mapping[str, Any]
"""Attributes of an object by name; of a caption only those that it states."""

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "texture": TEXTURES,
    "size": tuple(SIZES),
}
_NAMED = ("colour", "shape")
"""Attributes that distinguish the objects of a relation."""

OBJECT_FACTS: dict[Fact, int] = {
    fact: i
    for i, fact in enumerate(
        (first, a, second, b)
        for first, second in combinations(_ATTRIBUTES, 2)
        for a, b in product(_ATTRIBUTES[first], _ATTRIBUTES[second])
    )
}
SCENE_FACTS: dict[Fact, int] = {
    fact: i
    for i, fact in enumerate(
        [
            *OBJECT_FACTS,
            *(("background", ground) for ground in BACKGROUNDS),
            *(
                (first, a, link, second, b)
                for first, second in product(_NAMED, repeat=2)
                for a, link, b in product(_ATTRIBUTES[first], RELATIONS, _ATTRIBUTES[second])
            ),
        ]
    )
}
_DRAWN = {**_ATTRIBUTES, "shape": (*SHAPES, *NAMELESS_SHAPES)}
_LINKS = {phrase: link for link, phrases in RELATION_WORDS.items() for phrase in phrases}
_LINK_WORDS = frozenset(word for phrase in _LINKS for word in phrase.split())
_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
GRID = 4
"""The image tower's map before its last stage has this many cells a side."""


def scene_facts(scenes: list[Scene]) -> Float[Tensor, "n facts"]:
    """Encode which facts hold in scenes.

    Args:
        scenes: n scenes.

    Returns:
        1 where a fact of `SCENE_FACTS` holds, else 0; shape (n, facts).
    """
    rows = torch.zeros(len(scenes), len(SCENE_FACTS))
    for row, scene in zip(rows, scenes, strict=True):
        row[[SCENE_FACTS[fact] for fact in _facts(scene)]] = 1.0
    return rows


def caption_facts(captions: list[str]) -> Float[Tensor, "n facts"]:
    """Encode which facts captions state.

    Args:
        captions: n captions of the grammar.

    Returns:
        1 where the caption states a fact of `SCENE_FACTS`, else 0; shape (n, facts).
    """
    rows = torch.zeros(len(captions), len(SCENE_FACTS))
    for row, text in zip(rows, captions, strict=True):
        row[[SCENE_FACTS[fact] for _, fact in _facts_of_caption(text)]] = 1.0
    return rows


def word_facts(captions: list[str]) -> tuple[Int[Tensor, "m 2"], Float[Tensor, "m facts"]]:
    """Encode which facts each word states.

    Args:
        captions: n captions of the grammar.

    Returns:
        The m words that state something, as (caption, position in `words_of`), shape (m, 2); and 1 where a word states
        a fact of `SCENE_FACTS`, else 0, shape (m, facts).
    """
    by_word: dict[tuple[int, int], list[int]] = {}
    for i, text in enumerate(captions):
        for position, fact in _facts_of_caption(text):
            by_word.setdefault((i, position), []).append(SCENE_FACTS[fact])
    rows = torch.zeros(len(by_word), len(SCENE_FACTS))
    for row, facts in zip(rows, by_word.values(), strict=True):
        row[facts] = 1.0
    return torch.tensor(list(by_word)).view(-1, 2), rows


def cell_facts(scenes: list[Scene]) -> Float[Tensor, "n facts 4 4"]:
    """Encode which facts hold of the objects in each cell of the image.

    Args:
        scenes: n scenes.

    Returns:
        1 where a fact of `OBJECT_FACTS` holds of an object whose centre is in the cell, else 0; shape (n, facts, 4, 4).
    """
    cells = torch.zeros(len(scenes), len(OBJECT_FACTS), GRID, GRID)
    for cell, scene in zip(cells, scenes, strict=True):
        for thing in scene.objects:
            row, column = int(thing.y * GRID / SIZE), int(thing.x * GRID / SIZE)
            for fact in _object_facts(vars(thing)):
                cell[OBJECT_FACTS[fact], row, column] = 1.0
    return cells


def _facts(scene: Scene) -> Iterator[Fact]:
    things = [vars(thing) for thing in scene.objects]
    for thing in things:
        yield from _object_facts(thing)
    yield "background", scene.background
    for i, j in permutations(range(len(things)), 2):
        if link := relation(scene.objects[i], scene.objects[j]):
            yield from _relation_facts(things[i], link, things[j])


def _facts_of_caption(text: str) -> Iterator[tuple[int, Fact]]:
    """Yield the facts of a caption, each with the position of its word in `words_of`."""
    words, before, start = words_of(text), None, 0
    for i, word in enumerate(words):
        if word == "background":
            yield i, ("background", words[i - 1])
        if word not in _DRAWN["shape"]:
            continue
        thing = {kind: word for word in words[start : i + 1] for kind, known in _DRAWN.items() if word in known}
        for fact in _object_facts(thing):
            yield i, fact
        link = _LINKS.get(" ".join(word for word in words[start:i] if word in _LINK_WORDS))
        if before and link:
            for fact in _relation_facts(before, link, thing):
                yield i, fact
            for fact in _relation_facts(thing, _OPPOSITE.get(link, ""), before):
                yield i, fact
        before, start = thing, i + 1


def words_of(text: str) -> list[str]:
    """Split a caption into its words and commas: one token each.

    Args:
        text: A caption.
    """
    return text.replace(",", " ,").split()


def _object_facts(thing: Named) -> Iterator[Fact]:
    for first, second in combinations(_ATTRIBUTES, 2):
        fact = (first, thing.get(first, ""), second, thing.get(second, ""))
        if fact in OBJECT_FACTS:  # a caption may leave attributes out, and some have no name
            yield fact


def _relation_facts(a: Named, link: str, b: Named) -> Iterator[Fact]:
    for first, second in product(_NAMED, repeat=2):
        fact = (first, a.get(first, ""), link, second, b.get(second, ""))
        if fact in SCENE_FACTS:
            yield fact
