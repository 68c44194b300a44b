"""Every scorer of the registry keeps the contract."""

import numpy as np
import pytest

from skewbench.eval.scorers import GroupScore, GroupScorer, ImageScorer, Score, SetScorer, names, scorer
from skewbench.eval.scorers.registry import OF_CELLS
from skewbench.eval.weights.catalogue import PACKAGES, WEIGHTS

PROMPTS = ["a red circle", "a dog", ""]
READY = [name for name in names() if not scorer(name).needs]
"""Those without weights; the others are tested with weights of their own."""
OF_IMAGES = [name for name in READY if isinstance(scorer(name), ImageScorer)]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", names())
def test_scorers_describe_themselves(name):
    made = scorer(name)
    assert made.name == name
    assert made.version >= 1
    assert len(set(made.metrics)) == len(made.metrics) > 0
    assert all(need in WEIGHTS or need in PACKAGES for need in made.needs)
    assert isinstance(made, SetScorer) == (name in OF_CELLS)
    assert sum(isinstance(made, kind) for kind in (ImageScorer, GroupScorer, SetScorer)) == 1


@pytest.mark.parametrize("name", READY)
def test_scorers_give_a_value_or_a_reason_for_every_metric(name, images):
    made = scorer(name)
    if isinstance(made, GroupScorer):
        scores = made.score_group(images, None)
        assert all(isinstance(score, GroupScore) for score in scores.values())
    else:
        scores = made.score(images, PROMPTS)
        assert all(isinstance(score, Score) for column in scores.values() for score in column)
        assert all(len(column) == len(images) for column in scores.values())
    assert tuple(scores) == made.metrics


@pytest.mark.parametrize("name", OF_IMAGES)
def test_image_scorers_do_not_look_at_the_rest_of_the_batch(name, images):
    made = scorer(name)
    together = made.score(images, PROMPTS)
    for i in range(len(images)):
        alone = made.score(images[i : i + 1], PROMPTS[i : i + 1])
        assert all(alone[metric] == [together[metric][i]] for metric in made.metrics)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_image_scorers_want_one_prompt_an_image(name, images):
    with pytest.raises(ValueError, match="3 images, 1 prompts"):
        scorer(name).score(images, ["a red circle"])


@pytest.mark.parametrize("name", OF_IMAGES)
def test_image_scorers_take_an_empty_batch(name):
    made = scorer(name)
    assert made.score(np.zeros((0, 64, 64, 3), np.uint8), []) == {metric: [] for metric in made.metrics}


def test_an_unknown_scorer_is_an_error_that_lists_them_all():
    with pytest.raises(ValueError, match=r"no scorer 'clip'; there are: .*binding.*sharpness"):
        scorer("clip")


@pytest.mark.parametrize(("value", "reason"), [(None, None), (1.0, "why")])
def test_a_score_has_a_value_or_a_reason(value, reason):
    with pytest.raises(ValueError, match="one of the two"):
        Score(value, reason)
