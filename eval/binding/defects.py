"""Puts one defect into a scene, to test whether the scorer names it."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from skewbench.eval.scenes.render import OVERSAMPLING, shape_mask
from skewbench.eval.scenes.scene import GAP, Object, Scene, relation, sample_scene
from skewbench.eval.scenes.vocabulary import BACKGROUNDS, COLOURS, SHAPES, SIZE, SIZES, TEXTURES

FUSED_SHARE = (0.15, 0.6)
"""Range of the share of the smaller of two fused objects that is in the other one."""
_TRIES = 60

Put = Callable[[Scene, np.random.Generator], Scene | None]


def removed(scene: Scene, rng: np.random.Generator) -> Scene:
    """Remove one random object.

    Args:
        scene: The scene to damage.
        rng: Random generator.

    Returns:
        The scene with one object less.
    """
    missing = int(rng.integers(len(scene.objects)))
    return replace(scene, objects=tuple(thing for i, thing in enumerate(scene.objects) if i != missing))


def added(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """Add an object whose colour and shape no other object has, and which touches none.

    Args:
        scene: The scene to damage.
        rng: Random generator.

    Returns:
        The scene with one object more, or None if no place was found.
    """
    for _ in range(_TRIES):
        (new,) = sample_scene(rng, 1).objects
        if all(
            np.hypot(new.x - old.x, new.y - old.y) >= new.radius + old.radius + GAP
            and new.colour != old.colour
            and new.shape != old.shape
            for old in scene.objects
        ):
            return replace(scene, objects=(*scene.objects, new))
    return None


def fused(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """Move one object so that it partly overlaps another one and touches no third one.

    Args:
        scene: The scene to damage.
        rng: Random generator.

    Returns:
        The scene with the two objects first, which share `FUSED_SHARE` of the smaller one. None for fewer than two
        objects, for nested ones, or if no place was found.
    """
    if len(scene.objects) < 2 or _nested(scene):
        return None
    for _ in range(_TRIES):
        i, j, *rest = rng.permutation(len(scene.objects))
        fixed, moved = scene.objects[i], scene.objects[j]
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.0) * (fixed.radius + moved.radius)
        moved = replace(moved, x=fixed.x + distance * np.cos(angle), y=fixed.y + distance * np.sin(angle))
        others = [scene.objects[k] for k in rest]
        inside = all(moved.radius + GAP <= c <= SIZE - moved.radius - GAP for c in (moved.x, moved.y))
        free = all(np.hypot(moved.x - o.x, moved.y - o.y) >= moved.radius + o.radius + GAP for o in others)
        if inside and free and FUSED_SHARE[0] <= shared(fixed, moved) <= FUSED_SHARE[1]:
            return replace(scene, objects=(fixed, moved, *others))
    return None


def merged(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """Fuse two objects and give both the colour and texture of the first, so that they form one blob.

    Args:
        scene: The scene to damage.
        rng: Random generator.

    Returns:
        The damaged scene, or None where `fused` returns None.
    """
    scene_fused = fused(scene, rng)
    if scene_fused is None:
        return None
    first, second, *rest = scene_fused.objects
    return replace(scene_fused, objects=(first, replace(second, colour=first.colour, texture=first.texture), *rest))


def swapped(attribute: str) -> Put:
    """Make a defect in which two objects of different shapes exchange an attribute.

    Args:
        attribute: Field of `Object`, such as `colour` or `texture`.

    Returns:
        A function of a scene and a random generator. It returns None if no two objects differ in shape and attribute.
    """

    def put(scene: Scene, rng: np.random.Generator) -> Scene | None:
        pairs = [
            (i, j)
            for i, j in combinations(range(len(scene.objects)), 2)
            if getattr(scene.objects[i], attribute) != getattr(scene.objects[j], attribute)
            and scene.objects[i].shape != scene.objects[j].shape
        ]
        if not pairs:
            return None
        i, j = pairs[int(rng.integers(len(pairs)))]
        things = list(scene.objects)
        a, b = getattr(things[i], attribute), getattr(things[j], attribute)
        things[i], things[j] = _with(things[i], attribute, b), _with(things[j], attribute, a)
        return replace(scene, objects=tuple(things))

    return put


def changed(attribute: str) -> Put:
    """Make a defect in which one object gets a value of an attribute that no object of the scene has.

    Args:
        attribute: `colour`, `shape` or `texture`.

    Returns:
        A function of a scene and a random generator. It returns None if the scene uses all values.
    """
    values = {"colour": tuple(COLOURS), "shape": SHAPES, "texture": TEXTURES}[attribute]

    def put(scene: Scene, rng: np.random.Generator) -> Scene | None:
        free = [value for value in values if value not in {getattr(thing, attribute) for thing in scene.objects}]
        if not free:
            return None
        i = int(rng.integers(len(scene.objects)))
        things = list(scene.objects)
        things[i] = _with(things[i], attribute, free[int(rng.integers(len(free)))])
        return replace(scene, objects=tuple(things))

    return put


def resized(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """Make a large object small.

    Args:
        scene: The scene to damage.
        rng: Random generator.

    Returns:
        The damaged scene, or None without a large object or for nested objects.
    """
    large = [i for i, thing in enumerate(scene.objects) if thing.size == "large"]
    if not large or _nested(scene):
        return None
    i = large[int(rng.integers(len(large)))]
    things = list(scene.objects)
    things[i] = replace(things[i], size="small", radius=float(rng.uniform(*SIZES["small"])))
    return replace(scene, objects=tuple(things))


def moved_round(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """Mirror the scene left to right and top to bottom, which reverses all directions.

    Args:
        scene: The scene to damage.
        rng: Not used; all defects have the same arguments.

    Returns:
        The mirrored scene. None for fewer than two objects, nested ones, two of one shape, or no pair with a direction.
    """
    if len(scene.objects) < 2 or _nested(scene) or len({thing.shape for thing in scene.objects}) < len(scene.objects):
        return None
    if not any(relation(a, b) for a, b in combinations(scene.objects, 2)):
        return None
    objects = tuple(replace(thing, x=SIZE - thing.x, y=SIZE - thing.y) for thing in scene.objects)
    return replace(scene, objects=objects)


def regrounded(scene: Scene, rng: np.random.Generator) -> Scene:
    """Replace the background by another one.

    Args:
        scene: The scene to damage.
        rng: Random generator.

    Returns:
        The damaged scene.
    """
    return replace(scene, background=str(rng.choice([name for name in BACKGROUNDS if name != scene.background])))


DEFECTS: dict[str, tuple[Put, str]] = {
    "object removed": (removed, "missing"),
    "object added": (added, "extra"),
    "two objects fused": (fused, "fused"),
    "two objects in one blob": (merged, "fused"),
    "colours swapped": (swapped("colour"), "colour swapped"),
    "textures swapped": (swapped("texture"), "texture swapped"),
    "colour changed": (changed("colour"), "wrong colour"),
    "shape changed": (changed("shape"), "wrong shape"),
    "texture changed": (changed("texture"), "wrong texture"),
    "size changed": (resized, "wrong size"),
    "places turned round": (moved_round, "wrong relation"),
    "background changed": (regrounded, "wrong background"),
}
"""By defect: the function that puts it in (it returns None if the scene cannot have it), and the word that names it."""


def shared(a: Object, b: Object) -> float:
    """Compute the share of the smaller silhouette that two objects have in common.

    Args:
        a: One object.
        b: The other object.

    Returns:
        Share in 0..1, from silhouettes of 64 x 64 pixels.
    """
    first, second = (np.asarray(shape_mask(o.shape, o.x, o.y, o.radius).reduce(OVERSAMPLING)) > 127 for o in (a, b))
    return float((first & second).sum() / min(first.sum(), second.sum()))


def _with(thing: Object, attribute: str, value: str) -> Object:
    changes: dict[str, Any] = {attribute: value}
    return replace(thing, **changes)


def _nested(scene: Scene) -> bool:
    return any("inside" in (relation(a, b), relation(b, a)) for a, b in combinations(scene.objects, 2))
