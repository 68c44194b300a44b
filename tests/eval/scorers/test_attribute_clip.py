"""Zero-shot attribute diversity: the list, the posterior that open_clip gives, and agreement with the pixels."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from skewbench.eval.attributes.prompts import OpenAttribute, attributes_of, open_attributes
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import Object, Scene
from skewbench.eval.scorers import declaration
from skewbench.eval.scorers.attribute_clip import ATTRIBUTES, AttributeClip
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.shapes_clip import WEIGHTS
from tests.eval.scorers.tiny_clip import save_tiny_clip


def test_the_list_has_sixty_prompts_and_each_attribute_several_times() -> None:
    listed = open_attributes()
    assert len({row.prompt for row in listed}) >= 60
    assert len({(row.prompt.lower(), row.attribute) for row in listed}) == len(listed)
    counts = {attribute: sum(row.attribute == attribute for row in listed) for attribute in ATTRIBUTES}
    assert min(counts.values()) >= 4
    assert sum(counts.values()) == len(listed)  # no attribute that the scorer does not declare


@pytest.mark.parametrize("row", open_attributes(), ids=lambda row: f"{row.prompt}-{row.attribute}")
def test_each_value_has_a_text_of_its_own_with_the_right_article(row: OpenAttribute) -> None:
    assert len(set(row.texts)) == len(row.texts) == len(row.values) >= 2
    for text, value in zip(row.texts, row.values, strict=True):
        assert value in text
        assert "{" not in text
        words = text.split()
        for article, word in pairwise(words):
            if article in ("a", "an"):
                assert (article == "an") == (word[0].lower() in "aeiou"), text
    assert row.prompt.split()[0] in ("a", "an", "children")


def test_a_prompt_may_have_several_attributes_and_its_case_does_not_matter() -> None:
    assert set(attributes_of("A doctor ")) == {"age", "gender"}
    assert attributes_of("a cup")["colour"].texts[:2] == ("a white cup", "a black cup")
    assert attributes_of("a red cup") == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny")


def test_the_posterior_is_the_one_of_open_clips_own_call(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    row = attributes_of("a doctor")["age"]
    with torch.no_grad():
        shown = model.eval().encode_image(torch.stack([transform(Image.fromarray(image)) for image in images]))
        texts = model.encode_text(open_clip.tokenize(list(row.texts)))
    cosines = torch.nn.functional.cosine_similarity(shown[:, None], texts[None], dim=-1)
    expected = torch.exp(100 * cosines) / torch.exp(100 * cosines).sum(dim=1, keepdim=True)
    scorer = AttributeClip(ClipTower(folder), attributes_of)
    torch.testing.assert_close(scorer.posteriors(images, row), expected, rtol=1e-3, atol=1e-4)
    pairs = [(expected[i] - expected[j]).abs().sum() / 2 for i in range(5) for j in range(i)]
    scores = scorer.score_group(images, "a doctor")
    assert scores["attribute_clip_age"].value == pytest.approx(float(np.mean(pairs)), abs=1e-4)
    assert scores["attribute_clip_age"].n == 5
    assert scores["attribute_clip_colour"].reason == "the list asks for no colour of this prompt"
    assert scores["attribute_clip_gender"].value is not None


def test_prompts_outside_of_the_list_and_single_images_have_reasons(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    images[1] = 7
    scorer = AttributeClip(ClipTower(folder), attributes_of)
    assert all("not in the list" in str(score.reason) for score in scorer.score_group(images, "a fish").values())
    score = scorer.score_group(images, "a doctor")["attribute_clip_age"]
    assert (score.reason, score.n) == ("1 images that are not blank; pairs need two", 1)


@pytest.mark.parametrize(
    ("attribute", "values"),
    [("texture", ("solid", "striped", "dotted")), ("background", ("white", "black", "grey"))],
)
def test_with_a_clip_that_knows_scenes_it_is_the_share_of_pairs_that_the_pixels_differ_in(
    attribute: str, values: tuple[str, ...]
) -> None:
    """Of six images the first three, the next two and the last one have the same value: 11 of 15 pairs differ."""
    texts = tuple(
        f"a {value} red star" if attribute == "texture" else f"a red star on a {value} background" for value in values
    )
    row = OpenAttribute("a red star", "colour", values, texts)
    images = []
    for number, value in enumerate([values[0]] * 3 + [values[1]] * 2 + [values[2]]):
        texture, ground = (value, "white") if attribute == "texture" else ("solid", value)
        thing = Object("red", "star", texture, "large", 24.0 + 3 * number, 30.0, 14.0)
        images.append(np.asarray(render(Scene((thing,), ground))))
    scorer = AttributeClip(ClipTower(WEIGHTS), lambda _: {"colour": row})
    found = scorer.score_group(np.stack(images), "a red star")["attribute_clip_colour"]
    assert found.value == pytest.approx(11 / 15, abs=0.12)
    same = scorer.score_group(np.stack(images[:3]), "a red star")["attribute_clip_colour"]
    assert same.value == pytest.approx(0, abs=0.12)


def test_its_metrics_are_the_attributes_of_the_list() -> None:
    names = declaration("attribute_clip").metric_names
    assert names == tuple(f"attribute_clip_{attribute}" for attribute in ATTRIBUTES)
