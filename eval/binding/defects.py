"""Scenes with one defect put in, to see whether the scorer names it."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from skewbench.eval.scenes.render import OVERSAMPLING, shape_mask
from skewbench.eval.scenes.scene import GAP, Object, Scene, relation, sample_scene
from skewbench.eval.scenes.vocabulary import BACKGROUNDS, COLOURS, SHAPES, SIZE, SIZES, TEXTURES

FUSED_SHARE = (0.15, 0.6)
"""How much of the smaller of two fused objects is in the other one."""
_TRIES = 60

Put = Callable[[Scene, np.random.Generator], Scene | None]


def removed(scene: Scene, rng: np.random.Generator) -> Scene:
    """One object less."""
    missing = int(rng.integers(len(scene.objects)))
    return replace(scene, objects=tuple(thing for i, thing in enumerate(scene.objects) if i != missing))


def added(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """One object more, of another colour and shape than all, that touches none."""
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
    """One object moved over a part of another one; a third one must stay free."""
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
    """Two fused objects, both in the looks of the first: one blob."""
    scene_fused = fused(scene, rng)
    if scene_fused is None:
        return None
    first, second, *rest = scene_fused.objects
    return replace(scene_fused, objects=(first, replace(second, colour=first.colour, texture=first.texture), *rest))


def swapped(attribute: str) -> Put:
    """Two objects of unlike shapes exchange an attribute."""

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
    """One object gets a value of an attribute that no object of the scene has."""
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
    """A large object that is small."""
    large = [i for i, thing in enumerate(scene.objects) if thing.size == "large"]
    if not large or _nested(scene):
        return None
    i = large[int(rng.integers(len(large)))]
    things = list(scene.objects)
    things[i] = replace(things[i], size="small", radius=float(rng.uniform(*SIZES["small"])))
    return replace(scene, objects=tuple(things))


def moved_round(scene: Scene, rng: np.random.Generator) -> Scene | None:
    """The scene mirrored left to right and top to bottom: all directions turn round."""
    if len(scene.objects) < 2 or _nested(scene) or len({thing.shape for thing in scene.objects}) < len(scene.objects):
        return None
    if not any(relation(a, b) for a, b in combinations(scene.objects, 2)):
        return None
    objects = tuple(replace(thing, x=SIZE - thing.x, y=SIZE - thing.y) for thing in scene.objects)
    return replace(scene, objects=objects)


def regrounded(scene: Scene, rng: np.random.Generator) -> Scene:
    """Another background."""
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
"""Name of a defect -> how it is put in (None where a scene cannot have it), and the word that must name it."""


def shared(a: Object, b: Object) -> float:
    """Share of the smaller silhouette that both have."""
    first, second = (np.asarray(shape_mask(o.shape, o.x, o.y, o.radius).reduce(OVERSAMPLING)) > 127 for o in (a, b))
    return float((first & second).sum() / min(first.sum(), second.sum()))


def _with(thing: Object, attribute: str, value: str) -> Object:
    changes: dict[str, Any] = {attribute: value}
    return replace(thing, **changes)


def _nested(scene: Scene) -> bool:
    return any("inside" in (relation(a, b), relation(b, a)) for a, b in combinations(scene.objects, 2))
