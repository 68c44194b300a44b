"""What is so in a scene, or said in a caption, as a row of zeros and ones: the first lessons of both towers.

Single attributes cannot tell a red circle beside a blue square from a blue circle beside a red square; so a fact is
always two attributes of one object, or a relation between one attribute of an object and one of another.
"""

from collections.abc import Iterator
from itertools import combinations, permutations, product

import torch
from jaxtyping import Float
from torch import Tensor

from eval.scenes.captions import ObjectPhrase, parse_caption
from eval.scenes.scene import Object, Scene, relation
from eval.scenes.vocabulary import BACKGROUNDS, COLOURS, RELATIONS, SHAPES, SIZE, SIZES, TEXTURES

Fact = tuple[str, ...]

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "texture": TEXTURES,
    "size": tuple(SIZES),
}
_NAMED = ("colour", "shape")
"""Attributes by which the objects of a relation are told apart."""

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
_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
GRID = 4
"""The image tower's map before its last stage has this many cells a side."""


def scene_facts(scenes: list[Scene]) -> Float[Tensor, "n facts"]:
    """1 where a fact of `SCENE_FACTS` holds."""
    rows = torch.zeros(len(scenes), len(SCENE_FACTS))
    for row, scene in zip(rows, scenes, strict=True):
        row[[SCENE_FACTS[fact] for fact in _facts(scene)]] = 1.0
    return rows


def told_facts(captions: list[str]) -> Float[Tensor, "n facts"]:
    """1 where a fact of `SCENE_FACTS` is what a caption says."""
    rows = torch.zeros(len(captions), len(SCENE_FACTS))
    for row, text in zip(rows, captions, strict=True):
        row[[SCENE_FACTS[fact] for fact in _told(text)]] = 1.0
    return rows


def cell_facts(scenes: list[Scene]) -> Float[Tensor, "n facts 4 4"]:
    """1 where a fact of `OBJECT_FACTS` holds of an object whose centre is in the cell."""
    cells = torch.zeros(len(scenes), len(OBJECT_FACTS), GRID, GRID)
    for cell, scene in zip(cells, scenes, strict=True):
        for thing in scene.objects:
            row, column = int(thing.y * GRID / SIZE), int(thing.x * GRID / SIZE)
            for fact in _object_facts(thing):
                cell[OBJECT_FACTS[fact], row, column] = 1.0
    return cells


def _facts(scene: Scene) -> Iterator[Fact]:
    for thing in scene.objects:
        yield from _object_facts(thing)
    yield "background", scene.background
    for a, b in permutations(scene.objects, 2):
        if link := relation(a, b):
            yield from _relation_facts(a, link, b)


def _told(text: str) -> Iterator[Fact]:
    meaning = parse_caption(text)
    if meaning is None:
        raise ValueError(f"{text!r} is no caption of the grammar")
    for phrase in meaning.objects:
        yield from _object_facts(phrase)
    if meaning.background:
        yield "background", meaning.background
    for i, link, j in meaning.relations:
        yield from _relation_facts(meaning.objects[i], link, meaning.objects[j])
        if link in _OPPOSITE:
            yield from _relation_facts(meaning.objects[j], _OPPOSITE[link], meaning.objects[i])


def _object_facts(thing: Object | ObjectPhrase) -> Iterator[Fact]:
    for first, second in combinations(_ATTRIBUTES, 2):
        a, b = getattr(thing, first), getattr(thing, second)
        if (fact := (first, a, second, b)) in OBJECT_FACTS:  # a caption may leave attributes out, and some have no name
            yield fact


def _relation_facts(a: Object | ObjectPhrase, link: str, b: Object | ObjectPhrase) -> Iterator[Fact]:
    for first, second in product(_NAMED, repeat=2):
        if (fact := (first, getattr(a, first), link, second, getattr(b, second))) in SCENE_FACTS:
            yield fact
