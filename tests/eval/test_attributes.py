"""Attribute diversity of scenes: what captions leave open, the values that pixels show, and the share of pairs."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from skewbench.eval.attributes.disagreement import mean_total_variation, share_that_differs
from skewbench.eval.attributes.scene_values import ATTRIBUTES, read_open, values_of
from skewbench.eval.binding.describe import describe
from skewbench.eval.scenes.captions import caption
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import Object, Scene, sample_scene
from skewbench.eval.scenes.vocabulary import SIZE
from skewbench.eval.scorers import GroupScore, declaration, make
from skewbench.eval.scorers.attribute_scene import LEFT_OUT, NAMED

OF = {"colour": "red", "shape": "circle", "texture": "solid", "size": "large", "x": 32.0, "y": 32.0, "radius": 14.0}


def _image(*objects: Object, background: str = "white") -> np.ndarray:
    return np.asarray(render(Scene(objects, background)))


def _scores(prompt: str, *images: np.ndarray) -> dict[str, float | None]:
    found: dict[str, GroupScore] = {}
    for name in ("attribute_scene_named", "attribute_scene"):
        found |= make(name).score_group(np.stack(images), prompt)  # type: ignore[union-attr]
    return {name.removeprefix("attribute_scene_"): score.value for name, score in found.items()}


@pytest.mark.parametrize("values", [["a", "b"], ["a", "a", "b"], ["a", "b", "c", "a", None], list("aabbcc")])
def test_the_share_is_that_of_pairs(values: list[str | None]) -> None:
    known = [value for value in values if value is not None]
    pairs = [known[i] != known[j] for i, j in product(range(len(known)), repeat=2) if i != j]
    assert share_that_differs(values) == pytest.approx(np.mean(pairs))


def test_the_share_is_unbiased_for_few_images() -> None:
    """Its mean over sets of three is the chance that two draws differ: 1 - the sum of the squared shares."""
    rng, shares = np.random.default_rng(0), np.array([0.6, 0.3, 0.1])
    found = [share_that_differs(rng.choice(3, 3, p=shares).tolist()) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(1 - (shares**2).sum(), abs=0.015)
    assert share_that_differs(["a", None]) is None


def test_total_variation_of_certain_posteriors_is_the_share_and_of_copies_is_zero() -> None:
    values = [0, 2, 2, 1, 0]
    assert mean_total_variation(np.eye(3)[values]) == pytest.approx(share_that_differs(values))
    assert mean_total_variation(np.full((4, 3), 1 / 3)) == 0
    posteriors = np.random.default_rng(1).dirichlet(np.ones(4), 6)
    pairs = [max(sum(a[list(chosen)]) - sum(b[list(chosen)]) for chosen in _subsets(4))
             for i, a in enumerate(posteriors) for b in posteriors[:i]]  # fmt: skip
    assert mean_total_variation(posteriors) == pytest.approx(np.mean(pairs))


def _subsets(n: int) -> list[tuple[int, ...]]:
    """All sets of values: the total variation is the largest difference of the probabilities of one of them."""
    return [tuple(i for i in range(n) if bits >> i & 1) for bits in range(2**n)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red circle", {"texture", "size", "layout", "background"}),
        ("a large striped red circle on a grey background", {"layout"}),
        ("a circle on a white background", {"colour", "texture", "size", "layout"}),
        ("a picture", set(ATTRIBUTES)),
        ("a small red circle above a striped blue star", {"texture", "size", "layout", "background"}),
    ],
)
def test_what_a_caption_leaves_open(prompt: str, expected: set[str]) -> None:
    read = read_open(prompt)
    assert not isinstance(read, str)
    assert {attribute for attribute in ATTRIBUTES if read.open_phrases(attribute)} == expected


@pytest.mark.parametrize("prompt", ["a red fox", "", "a red circle, oil on canvas", "red circle circle"])
def test_prompts_outside_of_the_grammar_say_so(prompt: str) -> None:
    read = read_open(prompt)
    assert isinstance(read, str)
    assert "outside of the scene grammar" in read
    assert set(_scores(prompt, _image(Object(**OF)), _image(Object(**OF))).values()) == {None}


def test_images_that_differ_in_one_attribute_differ_in_that_alone() -> None:
    plain = Object(**OF)
    others = {
        "texture": replace(plain, texture="striped"),
        "size": replace(plain, size="small", radius=9.0),
        "layout": replace(plain, x=18.0),
    }
    for attribute, other in others.items():
        found = _scores("a red circle", _image(plain), _image(other))
        assert found == {"colour": None, "shape": None, "texture": 0, "size": 0, "layout": 0, "background": 0} | {
            attribute: 1
        }
    grounds = _scores("a red circle", _image(plain), _image(plain, background="black"), _image(plain))
    assert grounds["background"] == pytest.approx(2 / 3)
    assert grounds["texture"] == 0


def test_colour_and_shape_are_scored_where_the_caption_leaves_them_open() -> None:
    plain = Object(**OF)
    colours = [_image(replace(plain, colour=colour)) for colour in ("red", "red", "blue", "green")]
    assert _scores("a circle", *colours)["colour"] == pytest.approx(5 / 6)
    shapes = [_image(replace(plain, shape=shape)) for shape in ("circle", "star", "star")]
    found = _scores("a drawing", *shapes)
    assert found["shape"] == pytest.approx(2 / 3)
    assert found["colour"] == 0


def test_each_object_counts_and_one_that_is_absent_leaves_its_image_out() -> None:
    """The star is striped in one of three images, and missing in a fourth; the circle is always the same."""
    circle = replace(Object(**OF), x=17.0, y=17.0, radius=13.5)
    star = Object("blue", "star", "solid", "large", 46.0, 46.0, 13.5)
    images = [_image(circle, star), _image(circle, replace(star, texture="striped")), _image(circle, star)]
    found = make("attribute_scene").score_group(np.stack([*images, _image(circle)]), "a red circle and a blue star")
    score = found["attribute_scene_texture"]
    assert score.value == pytest.approx((0 + 2 / 3) / 2)
    assert score.n == 4


def test_blank_images_are_left_out_and_one_image_has_no_pairs() -> None:
    image, black = _image(Object(**OF)), np.zeros((SIZE, SIZE, 3), np.uint8)
    found = make("attribute_scene").score_group(np.stack([image, black, black]), "a red circle")
    score = found["attribute_scene_texture"]
    assert (score.value, score.n) == (None, 1)
    assert score.reason == "1 images show the texture that is left open; pairs need two"
    named = make("attribute_scene_named").score_group(np.stack([image, image]), "a red circle")
    assert named["attribute_scene_colour"].reason == "the caption leaves no colour open"


def test_values_of_rendered_scenes_are_their_own() -> None:
    """On 60 random scenes of one object, what the pixels show is what was rendered."""
    rng, wrong, all_values = np.random.default_rng(2), 0, 0
    for _ in range(60):
        scene = sample_scene(rng, 1, "test")
        (thing,) = scene.objects
        seen = describe(np.asarray(render(scene)))
        open_caption = read_open("a picture")
        assert not isinstance(open_caption, str)
        own = {name: getattr(thing, name) for name in ("colour", "shape", "texture", "size")}
        own |= {
            "background": scene.background,
            "layout": f"row {int(3 * thing.y / SIZE)}, column {int(3 * thing.x / SIZE)}",
        }
        for attribute, value in own.items():
            all_values += 1
            wrong += values_of(open_caption, seen, attribute) != [value]
    assert wrong <= 0.05 * all_values


def test_a_full_caption_is_read_as_binding_reads_it() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        scene = sample_scene(rng, int(rng.integers(1, 4)), "test")
        read = read_open(caption(scene, rng))
        assert not isinstance(read, str)
        assert not read.largest
        assert len(read.meaning.objects) == len(scene.objects)
        assert not read.open_phrases("colour")


def test_the_scorers_declare_what_scenes_have() -> None:
    assert (*NAMED, *LEFT_OUT) == ("colour", "shape", "texture", "size", "layout", "background") == ATTRIBUTES
    for name in ("attribute_scene", "attribute_scene_named"):
        assert all(metric.may_be_absent and not metric.grows_with_n for metric in declaration(name).metrics)


def test_captions_of_scenes_leave_open_what_the_first_scorer_has() -> None:
    rng, left_open = np.random.default_rng(5), set()
    for _ in range(60):
        read = read_open(caption(sample_scene(rng, int(rng.integers(1, 4)), "test"), rng))
        assert not isinstance(read, str)
        left_open |= {attribute for attribute in ATTRIBUTES if read.open_phrases(attribute)}
    assert left_open == set(LEFT_OUT)
