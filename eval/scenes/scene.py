"""What is in a scene: objects with exact attributes and positions, drawn at random from one of two splits.

The splits hold out *combinations*: no colour x shape x texture of the test split is ever seen in training, though each
pair of the three is, so that composition is tested and not memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Literal

import numpy as np

from skewbench.eval.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    CONTAINER_RADIUS,
    CONTAINERS,
    SHAPES,
    SIZE,
    SIZES,
    TEXTURES,
)

Split = Literal["train", "test"]
Combination = tuple[str, str, str]

GAP = 2.0
"""Least distance between two objects, and between an object and the border, in pixels."""
INSIDE_SHARE = 0.15
"""Share of the scenes of two objects in which one holds the other."""


@dataclass(frozen=True)
class Object:
    """One drawn object. `x`, `y`, `radius` in pixels, `x` to the right and `y` down."""

    colour: str
    shape: str
    texture: str
    size: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Scene:
    """Objects on a background. Where one holds another, the container stands first (it is drawn first)."""

    objects: tuple[Object, ...]
    background: str


def is_held_out(colour: str, shape: str, texture: str) -> bool:
    """Whether a combination is in the test split: a Latin pattern, one in five, that leaves every pair in training."""
    c, s, t = list(COLOURS).index(colour), SHAPES.index(shape), TEXTURES.index(texture)
    return (c + 2 * s + t) % 5 == 0


@cache
def combinations_of(split: Split) -> tuple[Combination, ...]:
    """All colour x shape x texture combinations of a split."""
    return tuple(c for c in product(COLOURS, SHAPES, TEXTURES) if is_held_out(*c) == (split == "test"))


def relation(a: Object, b: Object) -> str | None:
    """How `a` stands to `b` ("left of", "inside", ...); None where the direction is too oblique to be called one."""
    dx, dy = a.x - b.x, a.y - b.y
    if np.hypot(dx, dy) + a.radius <= b.radius + GAP:
        return "inside"
    if np.hypot(dx, dy) + b.radius <= a.radius + GAP:
        return None
    if abs(dx) >= 1.5 * abs(dy):
        return "left of" if dx < 0 else "right of"
    if abs(dy) >= 1.5 * abs(dx):
        return "above" if dy < 0 else "below"
    return None


def sample_scene(rng: np.random.Generator, count: int, split: Split = "train") -> Scene:
    """A random scene of `count` (1 to 3) objects, no two of the same colour and shape, whose objects do not touch."""
    if not 1 <= count <= 3:
        raise ValueError(f"a scene has 1 to 3 objects, not {count}")
    background = str(rng.choice(BACKGROUNDS))
    if count == 2 and rng.random() < INSIDE_SHARE:
        return Scene(_nested(rng, split), background)
    while True:  # a crowded draw is drawn again, sizes included
        objects = tuple(_placed(rng, combination) for combination in _distinct(rng, count, combinations_of(split)))
        if all(np.hypot(a.x - b.x, a.y - b.y) >= a.radius + b.radius + GAP for a, b in combinations(objects, 2)):
            return Scene(objects, background)


def _distinct(rng: np.random.Generator, count: int, pool: Sequence[Combination]) -> list[Combination]:
    while True:
        drawn = [pool[int(i)] for i in rng.integers(len(pool), size=count)]
        if len({(colour, shape) for colour, shape, _ in drawn}) == count:
            return drawn


def _placed(rng: np.random.Generator, combination: Combination) -> Object:
    size = str(rng.choice(list(SIZES)))
    radius = float(rng.uniform(*SIZES[size]))
    x, y = rng.uniform(radius + GAP, SIZE - radius - GAP, size=2)
    return Object(*combination, size=size, x=float(x), y=float(y), radius=radius)


def _nested(rng: np.random.Generator, split: Split) -> tuple[Object, Object]:
    """A container and what is inside it; of two colours, or the inner one could not be seen."""
    pool = combinations_of(split)
    outer = _pick(rng, [c for c in pool if c[1] in CONTAINERS])
    inner = _pick(rng, [c for c in pool if c[0] != outer[0]])
    big, small = float(rng.uniform(*CONTAINER_RADIUS)), float(rng.uniform(*SIZES["small"]))
    x, y = rng.uniform(big + GAP, SIZE - big - GAP, size=2)
    dx, dy = rng.uniform(-3.0, 3.0, size=2)
    return (
        Object(*outer, size="large", x=float(x), y=float(y), radius=big),
        Object(*inner, size="small", x=float(x + dx), y=float(y + dy), radius=small),
    )


def _pick(rng: np.random.Generator, pool: Sequence[Combination]) -> Combination:
    return pool[int(rng.integers(len(pool)))]
