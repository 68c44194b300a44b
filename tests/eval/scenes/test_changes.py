"""Changed captions: one attribute different, grammatical, and false of their scene."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from skewbench.eval.scenes.captions import caption, parse_caption
from skewbench.eval.scenes.changes import KINDS, changes
from skewbench.eval.scenes.scene import relation, sample_scene


def described(count):
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng, 1 + i % 3, "test") for i in range(count)]
    return [(scene, caption(scene, rng)) for scene in scenes]


def holds(meaning, scene):
    """Whether what a caption says is so, by trying every way of matching its phrases with the scene's objects."""

    def fits(phrase, thing):
        stated = {name: getattr(phrase, name) for name in ("colour", "shape", "texture", "size")}
        return all(value in (None, getattr(thing, name)) for name, value in stated.items())

    return meaning.background in (None, scene.background) and any(
        all(fits(phrase, thing) for phrase, thing in zip(meaning.objects, order, strict=True))
        and all(relation(order[i], order[j]) == link for i, link, j in meaning.relations)
        for order in permutations(scene.objects)
    )


def test_true_captions_hold_and_no_changed_one_does():
    for scene, text in described(150):
        assert holds(parse_caption(text), scene)
        for change in changes(text):
            assert not holds(parse_caption(change.text), scene), (text, change)


def test_changed_captions_are_of_the_grammar_and_all_different():
    for _, text in described(60):
        found = changes(text)
        meanings = [parse_caption(change.text) for change in found]
        assert len({text, *(change.text for change in found)}) == len(found) + 1
        assert all(len(meaning.objects) == len(parse_caption(text).objects) for meaning in meanings)


def test_every_kind_is_there():
    assert {change.kind for _, text in described(60) for change in changes(text)} == set(KINDS)


def test_all_changes_of_a_caption():
    found = changes("a small orange circle to the left of a striped red star on a white background")
    expected = {"colour": 14, "shape": 10, "texture": 2, "size": 1, "background": 3, "relation": 4, "swap": 1}
    assert Counter(change.kind for change in found) == expected
    texts = {change.text for change in found}
    assert "a small orange circle inside a striped red star on a white background" in texts
    assert "a small red circle to the left of a striped orange star on a white background" in texts


@pytest.mark.parametrize(("text", "changed"), [("an orange star", "a red star"), ("a red star", "an orange star")])
def test_articles_follow(text, changed):
    assert changed in {change.text for change in changes(text)}


def test_colours_of_two_objects_of_one_shape_do_not_change_places():
    assert "swap" not in {change.kind for change in changes("a red star and a blue star")}
