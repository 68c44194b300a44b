"""The binding scorer: faithful images score 1, every defect lowers the score and is named, nothing crashes it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from skewbench.eval.binding.defects import DEFECTS
from skewbench.eval.binding.degrade import degrade
from skewbench.eval.binding.describe import describe
from skewbench.eval.binding.diagnose import Defect, diagnose
from skewbench.eval.binding.evaluate import full_meaning
from skewbench.eval.binding.prompt import read
from skewbench.eval.binding.scores import score_scene
from skewbench.eval.scenes.captions import caption, parse_caption
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import Object, Scene, relation, sample_scene
from skewbench.eval.scorers import make

TWO = "a large solid red circle to the left of a small striped blue square on a white background"
RED = Object("red", "circle", "solid", "large", 18.0, 32.0, 14.0)
BLUE = Object("blue", "square", "striped", "small", 48.0, 32.0, 9.0)
SCENE = Scene((RED, BLUE), "white")


def rendered(scene):
    return np.asarray(render(scene))


def of(*objects, background="white"):
    return rendered(Scene(objects, background))


def score(image, prompt=TWO):
    """All metrics of one image, None for no value."""
    return {metric: column[0].value for metric, column in make("binding").score(image[None], [prompt]).items()}


def kinds(image, prompt=TWO):
    return {defect.kind for defect in diagnose(image, parse_caption(prompt))}


def test_faithful_images_score_one():
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng, int(rng.integers(1, 4)), "test") for _ in range(200)]
    scores = make("binding").score(
        np.stack([rendered(scene) for scene in scenes]), [caption(scene, rng) for scene in scenes]
    )
    for metric, column in scores.items():
        assert {s.value for s in column} - {None} == {0.0 if metric == "leak" else 1.0}, metric


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_lowers_the_score(defect):
    put, _ = DEFECTS[defect]
    rng = np.random.default_rng(1)
    scenes = [sample_scene(rng, 2 + k % 2) for k in range(60)]
    defective = [(put(scene, rng), full_meaning(scene)) for scene in scenes]
    lowered = [score_scene(rendered(scene), meaning)["binding"].value < 1 for scene, meaning in defective if scene]
    assert len(lowered) > 15
    assert np.mean(lowered) > 0.97


def test_swapped_colours_are_wrong_colours_on_present_objects():
    swapped = of(replace(RED, colour="blue"), replace(BLUE, colour="red"))
    scores = score(swapped)
    assert scores["binding_presence"] == 1
    assert scores["binding_colour"] == 0
    assert scores["binding_texture"] == 1
    assert scores["binding_relation"] == 1
    assert scores["leak"] == 0.5  # both colours, neither texture
    assert scores["binding"] == pytest.approx(8 / 10)
    assert diagnose(swapped, parse_caption(TWO)) == [Defect("colour swapped", (0, 1))]


def test_a_foreign_colour_is_wrong_but_no_leak():
    foreign = of(replace(RED, colour="green"), BLUE)
    assert score(foreign)["leak"] == 0
    assert score(foreign)["binding_colour"] == 0.5
    assert kinds(foreign) == {"wrong colour"}


def test_a_colour_of_the_neighbour_is_a_leak():
    leaked = of(replace(RED, colour="blue"), BLUE)
    assert score(leaked)["leak"] == 0.25
    assert kinds(leaked) == {"colour leaked"}


def test_an_absent_object_makes_all_that_is_said_of_it_wrong():
    scores = score(of(RED))
    assert scores["binding_presence"] == scores["binding_colour"] == scores["binding_texture"] == 0.5
    assert scores["binding_relation"] == 0
    assert scores["binding"] == pytest.approx(5 / 10)
    assert diagnose(of(RED), parse_caption(TWO)) == [Defect("missing", (1,))]


def test_an_extra_object_lowers_the_score_alone():
    extra = score(of(RED, BLUE, Object("green", "star", "solid", "small", 50.0, 11.0, 8.5)))
    assert extra == {**score(rendered(SCENE)), "binding": pytest.approx(10 / 11)}


def test_more_defects_score_lower():
    steps = [
        rendered(SCENE),
        of(replace(RED, colour="green"), BLUE),
        of(replace(RED, colour="green"), BLUE, background="black"),
        of(replace(RED, colour="green", texture="dotted"), BLUE, background="black"),
        of(BLUE, background="black"),
        of(background="black"),
    ]
    values = [score(image)["binding"] for image in steps]
    assert values[0] == 1
    assert values[-1] == 0
    assert all(a > b for a, b in pairwise(values))


def test_objects_inside_one_another_are_two_objects():
    outer = Object("green", "square", "dotted", "large", 32.0, 32.0, 22.0)
    inner = Object("yellow", "heart", "solid", "small", 33.0, 31.0, 9.0)
    prompt = "a solid yellow heart inside a dotted green square on a grey background"
    assert score(of(outer, inner, background="grey"), prompt)["binding"] == 1
    beside = of(replace(outer, x=20.0, radius=14.0), replace(inner, x=52.0), background="grey")
    assert kinds(beside, prompt) == {"wrong relation"}


def test_relations_tell_two_equal_objects_apart():
    prompt = "a red circle to the left of a red circle, which is above a red circle"
    low = replace(RED, radius=9.0, x=15.0, y=20.0)
    assert score(of(low, replace(low, x=48.0), replace(low, x=48.0, y=50.0)), prompt)["binding"] == 1


def test_fused_objects_are_not_present():
    fused = of(RED, replace(BLUE, x=32.0))
    assert "fused" in kinds(fused)
    assert score(fused)["binding_presence"] == 0


def test_two_objects_of_one_colour_that_touch_at_a_corner_are_two():
    a = Object("cyan", "square", "solid", "small", 20.0, 20.0, 9.0)
    seen = describe(of(a, replace(a, x=35.6, y=35.6)))
    assert [thing.shape for thing in seen.objects] == ["square", "square"]
    assert not seen.fused


def test_what_a_prompt_does_not_state_has_a_reason_and_no_value():
    scores = make("binding").score(of(RED)[None], ["a red circle"])
    for metric, word in (("binding_texture", "texture"), ("binding_relation", "relation"), ("leak", "one object")):
        assert scores[metric][0].value is None
        assert word in scores[metric][0].reason
    assert scores["binding"][0].value == 1


@pytest.mark.parametrize(
    "prompt",
    [
        "a photo of a dog",
        "",
        "a red circle and a dog",
        "a red circle and a square",
        "two red circles",
        "a red circle above",
        "a red circle on a background",
    ],
)
def test_prompts_outside_of_the_grammar_are_not_scored_by_half(prompt):
    scores = make("binding").score(of(RED)[None], [prompt])
    assert all(column[0].value is None and "grammar" in column[0].reason for column in scores.values())


def test_every_caption_can_be_read():
    rng = np.random.default_rng(2)
    for _ in range(500):
        text = caption(sample_scene(rng, int(rng.integers(1, 4))), rng)
        assert read(text) == parse_caption(text)


@pytest.mark.parametrize("background", ["black", "white", "grey", "checkered"])
def test_an_empty_image_wins_nothing(background):
    scores = score(of(background=background), f"a red circle above a blue star on a {background} background")
    assert scores["binding"] == scores["binding_presence"] == scores["binding_relation"] == 0
    assert scores["leak"] is None


def test_larger_images_are_scored_at_scene_size():
    large = rendered(SCENE).repeat(4, axis=0).repeat(4, axis=1)
    assert score(large) == score(rendered(SCENE))


def check_bounds(image):
    scores = make("binding").score(image[None], [TWO])
    for column in scores.values():
        assert column[0].value is None or 0 <= column[0].value <= 1
    diagnose(image, parse_caption(TWO))


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (64, 64, 3)))
def test_any_image_is_scored_within_bounds(image):
    check_bounds(image)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 20), st.floats(0, 120), st.floats(0, 3))
def test_any_ruined_image_is_scored_within_bounds(seed, blur, noise, gain):
    rng = np.random.default_rng(seed)
    image = rendered(sample_scene(rng, int(rng.integers(1, 4)))).astype(float)
    image = ndimage.gaussian_filter(image, (blur, blur, 0)) * gain + rng.normal(size=image.shape) * noise
    check_bounds(image.clip(0, 255).astype(np.uint8))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 16))
def test_any_patchwork_is_scored_within_bounds(seed, patch):
    small = np.random.default_rng(seed).integers(0, 256, (64 // patch + 1,) * 2 + (3,), dtype=np.uint8)
    check_bounds(small.repeat(patch, axis=0).repeat(patch, axis=1)[:64, :64])


def test_scoring_leaves_the_image_as_it_was():
    image = rendered(SCENE)
    before = image.copy()
    image.flags.writeable = False
    score(image)
    assert np.array_equal(image, before)


def test_damage_is_the_same_for_a_seed_and_keeps_attributes():
    image = rendered(SCENE)
    first, again = (degrade(image, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, image)
    assert score(first)["binding"] == 1


def test_places_are_those_of_the_renderer():
    rng = np.random.default_rng(4)
    for _ in range(100):
        scene = sample_scene(rng, 1)
        (seen,), (drawn,) = describe(rendered(scene)).objects, scene.objects
        assert np.hypot(seen.x - drawn.x, seen.y - drawn.y) < 1
        assert abs(seen.radius - drawn.radius) < 1
        assert relation(drawn, replace(drawn, x=drawn.x + 30)) == "left of"
