"""Scenes: objects with exact attributes and positions, sampled at random from one of two splits.

The splits hold out *combinations*: no colour x shape x texture of the test split occurs in training, but each pair of
the three does. So the test split measures composition, not memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from math import hypot
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
_SIZES = tuple(SIZES)
INSIDE_SHARE = 0.15
"""Share of the scenes of two objects in which one contains the other."""


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
    """Objects on a background. If one contains another, the container comes first, since it is rendered first."""

    objects: tuple[Object, ...]
    background: str


def is_held_out(colour: str, shape: str, texture: str) -> bool:
    """Return whether a combination belongs to the test split.

    One in five does, in a Latin pattern that leaves every pair of attributes in training.

    Args:
        colour: A key of `COLOURS`.
        shape: A word of `SHAPES`.
        texture: A word of `TEXTURES`.
    """
    c, s, t = list(COLOURS).index(colour), SHAPES.index(shape), TEXTURES.index(texture)
    return (c + 2 * s + t) % 5 == 0


@cache
def combinations_of(split: Split) -> tuple[Combination, ...]:
    """List all combinations of a split.

    Args:
        split: `train` or `test`.

    Returns:
        Tuples (colour, shape, texture).
    """
    return tuple(c for c in product(COLOURS, SHAPES, TEXTURES) if is_held_out(*c) == (split == "test"))


def relation(a: Object, b: Object) -> str | None:
    """Return the relation of one object to another.

    Args:
        a: The object that the relation is about.
        b: The object it is compared with.

    Returns:
        A word of `RELATIONS`; None if the direction is too oblique (an offset less than 1.5 times the other axis') or
        if `b` is inside `a`.
    """
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
    """Sample a random scene whose objects do not touch and differ pairwise in colour or shape.

    Args:
        rng: Random generator.
        count: Number of objects, 1 to 3.
        split: Split that the combinations of attributes are from.

    Returns:
        The scene. A share `INSIDE_SHARE` of the scenes of two objects has one inside the other.

    Raises:
        ValueError: `count` is not 1, 2 or 3.
    """
    if not 1 <= count <= 3:
        raise ValueError(f"a scene has 1 to 3 objects, not {count}")
    background = str(rng.choice(BACKGROUNDS))
    if count == 2 and rng.random() < INSIDE_SHARE:
        return Scene(_nested(rng, split), background)
    while True:  # objects that would touch are sampled again, with new sizes
        objects = tuple(_placed(rng, combination) for combination in _distinct(rng, count, combinations_of(split)))
        if all(hypot(a.x - b.x, a.y - b.y) >= a.radius + b.radius + GAP for a, b in combinations(objects, 2)):
            return Scene(objects, background)


def _distinct(rng: np.random.Generator, count: int, pool: Sequence[Combination]) -> list[Combination]:
    while True:
        drawn = [_pick(rng, pool) for _ in range(count)]
        if len({(colour, shape) for colour, shape, _ in drawn}) == count:
            return drawn


def _placed(rng: np.random.Generator, combination: Combination) -> Object:
    size = _SIZES[int(rng.integers(len(_SIZES)))]
    radius = _between(rng, *SIZES[size])
    x, y = (_between(rng, radius + GAP, SIZE - radius - GAP) for _ in range(2))
    return Object(*combination, size=size, x=x, y=y, radius=radius)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Sample the same value as `rng.uniform`, in less time."""
    return low + (high - low) * rng.random()


def _nested(rng: np.random.Generator, split: Split) -> tuple[Object, Object]:
    """Sample a container and an object inside it; they differ in colour, or the inner one would be invisible."""
    pool = combinations_of(split)
    outer = _pick(rng, [c for c in pool if c[1] in CONTAINERS])
    inner = _pick(rng, [c for c in pool if c[0] != outer[0]])
    big, small = _between(rng, *CONTAINER_RADIUS), _between(rng, *SIZES["small"])
    x, y = (_between(rng, big + GAP, SIZE - big - GAP) for _ in range(2))
    dx, dy = (_between(rng, -3.0, 3.0) for _ in range(2))
    return (
        Object(*outer, size="large", x=x, y=y, radius=big),
        Object(*inner, size="small", x=x + dx, y=y + dy, radius=small),
    )


def _pick(rng: np.random.Generator, pool: Sequence[Combination]) -> Combination:
    return pool[int(rng.integers(len(pool)))]
