"""The bundled CLIP: it loads, tells images from almost right captions, and does not answer what it cannot know."""

from collections import Counter

import numpy as np
import open_clip
import pytest
import torch

from skewbench.eval.scenes.captions import caption
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import sample_scene
from skewbench.eval.scorers import declaration, make
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.shapes_clip import WEIGHTS
from skewbench.training.shapes_clip.evaluate import retrieval

LIMIT = 8_000_000
"""Bytes that may come with the package."""


@pytest.fixture(scope="module")
def tower():
    return ClipTower(WEIGHTS)


@pytest.fixture(scope="module")
def described():
    rng = np.random.default_rng(3)
    scenes = [sample_scene(rng, 1 + i % 3, "test") for i in range(12)]
    return np.stack([np.asarray(render(scene)) for scene in scenes]), [caption(scene, rng) for scene in scenes]


def scores(images, prompts):
    return make("shapes_clip_score").score(images, prompts)["shapes_clip_score"]


def group(name, images):
    return make(name).score_group(images, "a prompt")[name]


def test_it_is_open_clips_own_model_and_small():
    made, transform = open_clip.create_model_from_pretrained(f"local-dir:{WEIGHTS}")
    assert type(made) is open_clip.CLIP
    assert transform is not None
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) <= LIMIT
    assert {file.suffix for file in WEIGHTS.iterdir()} <= {".safetensors", ".json", ".txt"}


def test_one_at_a_time_is_as_all_at_once(described):
    images, prompts = described
    together = [score.value for score in scores(images, prompts)]
    alone = [scores(images[i : i + 1], prompts[i : i + 1])[0].value for i in range(len(images))]
    assert alone == pytest.approx(together, abs=1e-5)


def test_features_are_of_unit_length_and_in_float32(tower, described):
    images, prompts = described
    for features in (tower.images(images), tower.texts(prompts)):
        assert features.dtype == torch.float32
        torch.testing.assert_close(features.norm(dim=1), torch.ones(len(images)))


def test_case_does_not_matter(tower):
    upper, lower = tower.texts(["A Red Star", "a red star"])
    torch.testing.assert_close(upper, lower)


def test_its_own_caption_fits_an_image_best(tower, described):
    images, prompts = described
    assert (tower.images(images) @ tower.texts(prompts).T).argmax(dim=1).tolist() == list(range(len(images)))


def test_retrieval_among_a_hundred_hard_captions(tower):
    """On 60 images of held-out combinations; the measured shares are in docs/shapes-clip.md."""
    found = list(retrieval(tower, 60, seed=5))
    assert Counter(one.objects for one in found) == {1: 20, 2: 20, 3: 20}
    assert np.mean([one.first for one in found]) >= 0.85
    for kind in ("colour", "shape", "texture", "size", "background", "relation", "swap"):
        assert np.mean([one.kinds[kind] for one in found if kind in one.kinds]) >= 0.85, kind


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("a red fox in the snow", "the word 'fox'"),
        ("a red circle, oil on canvas", "the word 'oil'"),
        ("", "names no object"),
        ("a picture of a white background", "names no object"),
        ("a red circle, a blue star, a green heart and a pink cross", "names 4 objects"),
    ],
)
def test_prompts_outside_of_the_grammar_have_no_score(described, prompt, reason):
    images, prompts = described
    foreign, known = scores(images[:2], [prompt, prompts[1]])
    assert foreign.value is None
    assert reason in foreign.reason
    assert known.value == pytest.approx(scores(images[1:2], prompts[1:2])[0].value, abs=1e-5)


def test_images_of_other_sizes_are_scored(described):
    images, prompts = described
    large = images[:1].repeat(4, axis=1).repeat(4, axis=2)
    assert scores(large, prompts[:1])[0].value == pytest.approx(scores(images[:1], prompts[:1])[0].value, abs=0.1)


@pytest.mark.parametrize(
    ("name", "least"), [("shapes_clip_diversity", 0.0), ("vendi_score", 1.0), ("shapes_clip_rke", 1.0)]
)
def test_diversity_is_least_for_copies_and_leaves_blank_images_out(described, name, least):
    images, _ = described
    copies = images[:1].repeat(4, axis=0)
    assert group(name, copies).value == pytest.approx(least, abs=1e-4)
    assert group(name, images).value > group(name, np.concatenate([images[:2], copies])).value > least
    with_blank = group(name, np.concatenate([images, np.zeros_like(images[:2])]))
    assert with_blank.n == len(images)
    assert with_blank.value == pytest.approx(group(name, images).value, abs=1e-5)


@pytest.mark.parametrize("name", ["shapes_clip_diversity", "vendi_score"])
def test_diversity_needs_two_images(described, name):
    images, _ = described
    score = group(name, np.concatenate([images[:1], np.zeros_like(images[:3])]))
    assert (score.value, score.n) == (None, 1)


def test_vendi_counts_at_most_the_images(described):
    images, _ = described
    assert 1 < group("vendi_score", images).value < len(images)
    assert "cosine kernel on shapes-clip features" in declaration("vendi_score").set
