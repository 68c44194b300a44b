"""Scenes, their captions and their images agree with each other."""

from itertools import combinations, product

import numpy as np
import pytest

from skewbench.eval.scenes.captions import WORDS, caption, parse_caption
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import combinations_of, is_held_out, relation, sample_scene
from skewbench.eval.scenes.vocabulary import COLOURS, CONTAINERS, SHAPES, SIZE, TEXTURES


@pytest.mark.parametrize("split", ["train", "test"])
def test_captions_read_back_as_their_scene(split):
    rng = np.random.default_rng(0)
    related = 0
    for _ in range(1000):
        scene = sample_scene(rng, int(rng.integers(1, 4)), split)
        text = caption(scene, rng)
        meaning = parse_caption(text)
        by_noun = {(thing.colour, thing.shape): thing for thing in scene.objects}
        assert len(meaning.objects) == len(scene.objects)
        assert meaning.background in (None, scene.background)
        assert (meaning.background is not None) == ("background" in text)
        things = [by_noun[phrase.colour, phrase.shape] for phrase in meaning.objects]
        for phrase, thing in zip(meaning.objects, things, strict=True):
            assert phrase.texture in (None, thing.texture)
            assert phrase.size in (None, thing.size)
        for a, words, b in meaning.relations:
            assert relation(things[a], things[b]) == words
        related += bool(meaning.relations)
        assert set(text.replace(",", "").split()) <= set(WORDS)
    assert related > 100


def test_captions_are_not_case_sensitive():
    assert parse_caption("A Red Circle ABOVE a blue square") == parse_caption("a red circle above a blue square")


def test_text_without_an_object_means_nothing():
    assert parse_caption("a photo of a dog") is None


def test_splits_share_no_combination_and_hold_them_all():
    train, test = set(combinations_of("train")), set(combinations_of("test"))
    assert not train & test
    assert train | test == set(product(COLOURS, SHAPES, TEXTURES))
    assert 0.15 < len(test) / len(train | test) < 0.25


def test_training_has_every_pair_of_attributes():
    train = combinations_of("train")
    for axes in combinations(range(3), 2):
        every = set(product(*((tuple(COLOURS), SHAPES, TEXTURES)[axis] for axis in axes)))
        assert {tuple(c[axis] for axis in axes) for c in train} == every


@pytest.mark.parametrize("split", ["train", "test"])
def test_scenes_draw_from_their_split_alone(split):
    rng = np.random.default_rng(1)
    for _ in range(300):
        for thing in sample_scene(rng, int(rng.integers(1, 4)), split).objects:
            assert is_held_out(thing.colour, thing.shape, thing.texture) == (split == "test")


def test_no_two_objects_of_a_scene_share_colour_and_shape():
    rng = np.random.default_rng(2)
    for _ in range(300):
        scene = sample_scene(rng, 3)
        assert len({(thing.colour, thing.shape) for thing in scene.objects}) == 3


def test_nested_scenes_hold_the_small_one_inside_a_container():
    rng = np.random.default_rng(3)
    scenes = [sample_scene(rng, 2) for _ in range(400)]
    nested = [scene for scene in scenes if relation(scene.objects[1], scene.objects[0]) == "inside"]
    assert 0.08 < len(nested) / len(scenes) < 0.25
    assert all(scene.objects[0].shape in CONTAINERS for scene in nested)
    assert all(scene.objects[0].colour != scene.objects[1].colour for scene in nested)


def test_relations_are_each_others_opposites():
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above", None: None}
    rng = np.random.default_rng(4)
    for _ in range(300):
        a, b = sample_scene(rng, 2).objects
        if "inside" not in (relation(a, b), relation(b, a)):
            assert opposite[relation(a, b)] == relation(b, a)


@pytest.mark.parametrize("count", [0, 4])
def test_a_scene_has_one_to_three_objects(count):
    with pytest.raises(ValueError, match="1 to 3"):
        sample_scene(np.random.default_rng(0), count)


def test_a_seed_gives_one_scene_one_caption_and_one_image():
    def draw(seed):
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng, 3)
        return scene, caption(scene, rng), np.asarray(render(scene))

    (scene, text, image), (again, same_text, same_image) = draw(5), draw(5)
    assert (scene, text) == (again, same_text)
    assert np.array_equal(image, same_image)
    assert image.shape == (SIZE, SIZE, 3)
    assert image.dtype == np.uint8


def test_objects_are_saturated_and_backgrounds_grey():
    rng = np.random.default_rng(6)
    for _ in range(50):
        scene = sample_scene(rng, 1)
        image = np.asarray(render(scene)).astype(int)
        chroma = image.max(axis=2) - image.min(axis=2)
        rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
        far = np.hypot(columns - scene.objects[0].x, rows - scene.objects[0].y) > 1.5 * scene.objects[0].radius
        assert chroma[far].max() == 0
        assert chroma.max() > 100
