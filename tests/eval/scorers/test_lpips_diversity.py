"""LPIPS diversity: the library's own distances, with the heads that ship and an AlexNet of seeded random weights."""

import itertools
import warnings
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch

from skewbench.eval.scorers.lpips_diversity import LpipsDiversity
from skewbench.eval.weights import BadWeights
from tests.eval.scorers.tiny_weights import save_alexnet


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as torchvision has it, of the trunk alone: the classifier is not read."""
    return save_alexnet(tmp_path_factory.mktemp("alexnet") / "alexnet.pth")


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 64, 48, 3), dtype=np.uint8)


def _library(trunk: Path) -> lpips.LPIPS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    state = torch.load(trunk, weights_only=True)
    model.net.load_state_dict({name: state[f"features.{name.split('.', 1)[1]}"] for name in model.net.state_dict()})
    return model


def test_it_is_the_mean_of_the_librarys_distances(trunk: Path, images: np.ndarray) -> None:
    model = _library(trunk)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        pairs = [model(pixels[i : i + 1], pixels[j : j + 1]).item() for i, j in itertools.combinations(range(4), 2)]
    score = LpipsDiversity(trunk).score_group(images, None)["lpips_diversity"]
    assert score.value == pytest.approx(np.mean(pairs), rel=1e-5)
    assert score.n == 4


def test_alike_order_and_blank_images(trunk: Path, images: np.ndarray) -> None:
    scorer = LpipsDiversity(trunk)
    black = np.zeros_like(images[:1])
    whole = scorer.score_group(images, None)["lpips_diversity"]
    assert scorer.score_group(images[[0, 0]], None)["lpips_diversity"].value == 0
    assert scorer.score_group(images[::-1], None)["lpips_diversity"].value == pytest.approx(whole.value, rel=1e-6)
    with_black = scorer.score_group(np.concatenate([images, black]), None)["lpips_diversity"]
    assert (with_black.value, with_black.n) == (pytest.approx(whole.value, rel=1e-6), 4)
    assert "pairs need two" in str(scorer.score_group(images[:1], None)["lpips_diversity"].reason)
    assert "16 pixels" in str(scorer.score_group(images[:, :16], None)["lpips_diversity"].reason)


def test_the_shipped_heads_weigh_and_never_subtract(trunk: Path) -> None:
    """What makes LPIPS a distance: no weight is negative, and they are not all alike."""
    for head in _library(trunk).lins:
        weights = head.model[-1].weight
        assert (weights >= 0).all()
        assert weights.std() > 0


def test_a_broken_trunk_is_told(tmp_path: Path, images: np.ndarray) -> None:
    path = tmp_path / "alexnet.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 11, 11)}, path)
    with pytest.raises(BadWeights, match=r"alexnet\.pth is not of alexnet"):
        LpipsDiversity(path).score_group(images, None)
