"""Measures the errors of the binding scorer on damaged renderings, with and without a known defect."""

from collections import Counter
from itertools import permutations, product
from time import perf_counter

import numpy as np
from scipy.optimize import linear_sum_assignment

from skewbench.eval.binding.defects import DEFECTS
from skewbench.eval.binding.degrade import degrade
from skewbench.eval.binding.describe import Seen, describe
from skewbench.eval.binding.diagnose import diagnose
from skewbench.eval.binding.match import relation_holds
from skewbench.eval.scenes.captions import CaptionMeaning, ObjectPhrase
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import Scene, relation, sample_scene
from skewbench.eval.scorer_errors import Report

_FAR = 5.0
"""Pixels added to the distance of objects that differ in colour: nested objects share their place."""


def evaluate(scenes: int, seed: int) -> Report:
    """Render scenes of both splits, damage the images and describe them; then repeat it with each defect.

    Args:
        scenes: Number of scenes.
        seed: Seed of scenes and damage.

    Returns:
        Counts of what was seen, reported and confused. Only descriptions of faithful scenes are timed.
    """
    rng = np.random.default_rng(seed)
    report = Report()
    for k in range(scenes):
        scene = sample_scene(rng, int(rng.integers(1, 4)), "test" if k % 2 else "train")
        meaning = full_meaning(scene)
        image = degrade(np.asarray(render(scene)), rng)
        start = perf_counter()
        seen = describe(image)
        report.seconds += perf_counter() - start
        report.samples += 1
        report.seen.update(_compare(scene, seen))
        report.false_alarms.update({defect.kind for defect in diagnose(image, meaning)})
        for name, (put, word) in DEFECTS.items():
            defective = put(scene, rng)
            if defective is None:
                continue
            words = {defect.kind for defect in diagnose(degrade(np.asarray(render(defective)), rng), meaning)}
            report.add_defect(name, word, words)
    return report


def full_meaning(scene: Scene) -> CaptionMeaning:
    """Return the meaning of a caption that leaves out nothing and states the relations of all pairs.

    Args:
        scene: The scene.

    Returns:
        The meaning, with one phrase per object in the order of the scene.
    """
    things = scene.objects
    pairs = permutations(range(len(things)), 2)
    return CaptionMeaning(
        objects=tuple(ObjectPhrase(thing.colour, thing.shape, thing.texture, thing.size) for thing in things),
        relations=tuple((i, words, j) for i, j in pairs if (words := relation(things[i], things[j]))),
        background=scene.background,
    )


def _compare(scene: Scene, seen: Seen) -> Counter[tuple[str, str, str]]:
    """Pair objects by place and compare all their attributes."""
    found: Counter[tuple[str, str, str]] = Counter()
    found["count", str(len(scene.objects)), str(len(seen.objects))] += 1
    found["background", scene.background, str(seen.background)] += 1
    apart = np.zeros((len(scene.objects), len(seen.objects)))
    for (i, a), (j, b) in product(enumerate(scene.objects), enumerate(seen.objects)):
        apart[i, j] = np.hypot(a.x - b.x, a.y - b.y) + _FAR * (a.colour != b.colour)
    pairs = {int(a): int(b) for a, b in zip(*linear_sum_assignment(apart), strict=True)}
    for k, thing in enumerate(scene.objects):
        other = seen.objects[pairs[k]] if k in pairs else None
        for name in ("colour", "shape", "texture", "size"):
            found[name, getattr(thing, name), str(getattr(other, name)) if other else "absent"] += 1
    for first, words, second in full_meaning(scene).relations:
        both = first in pairs and second in pairs
        holds = both and relation_holds(words, pairs[first], pairs[second], seen)
        found["relation", words, words if holds else f"not {words}"] += 1
    return found
