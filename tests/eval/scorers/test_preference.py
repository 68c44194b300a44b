"""Aesthetic, HPS and PickScore: the true architectures at the smallest size, with seeded random weights from disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

from skewbench.eval.scorers import Scorers
from skewbench.eval.scorers.aesthetic import Aesthetic
from skewbench.eval.scorers.clip_score import ClipScore
from skewbench.eval.scorers.pickscore import PickScore
from skewbench.eval.scoring.aesthetic_head import AestheticHead
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.scoring.instances import CLIPS
from skewbench.eval.weights import BadWeights
from tests.eval.scorers.tiny_clip import CONFIG, save_tiny_clip
from tests.eval.scorers.tiny_weights import save_head, save_pickscore

PROMPTS = ["a red circle", "a blue square", "a green star", "a red circle"]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 40, 48, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_head(tmp_path_factory.mktemp("head") / "head.pth")


@pytest.fixture(scope="module")
def pick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pickscore(tmp_path_factory.mktemp("pick"))


def _values(scorer: Any, images: np.ndarray, prompts: list[str]) -> list[float]:
    (column,) = scorer.score(images, prompts).values()
    return [score.value for score in column]


def test_aesthetic_is_linear_in_unit_clip_features(clip: Path, head: Path, images: np.ndarray) -> None:
    """The head has no activations: the product of its matrices, in NumPy, gives the same."""
    state = {name: tensor.double().numpy() for name, tensor in torch.load(head, weights_only=True).items()}
    rating = ClipTower(clip).images(images).double().numpy()
    for layer in (0, 2, 4, 6, 7):
        rating = rating @ state[f"layers.{layer}.weight"].T + state[f"layers.{layer}.bias"]
    aesthetic = Aesthetic(ClipTower(clip), head, width=CONFIG["embed_dim"])
    np.testing.assert_allclose(_values(aesthetic, images, PROMPTS), rating[:, 0], rtol=1e-5)


def test_aesthetic_has_the_published_checkpoints_shape() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in AestheticHead().state_dict().items()}
    assert len(shapes) == 10
    assert shapes["layers.0.weight"] == (1024, 768)
    assert shapes["layers.7.weight"] == (1, 16)


def test_aesthetic_shares_the_tower_of_clip_score() -> None:
    scorers = Scorers()
    aesthetic: Any = scorers.get("aesthetic")
    clip_score: Any = scorers.get("clip_score")
    assert aesthetic._tower is clip_score._tower
    assert aesthetic._tower is scorers.tower("clip-vit-l-14")


def test_pickscore_is_what_the_model_card_computes(pick: Path, images: np.ndarray) -> None:
    model, processor = (
        CLIPModel.from_pretrained(pick),
        CLIPProcessor(CLIPImageProcessorPil.from_pretrained(pick), CLIPTokenizer.from_pretrained(pick)),
    )
    shown = processor(images=[Image.fromarray(image) for image in images], return_tensors="pt")
    tokens = processor(text=PROMPTS, padding=True, truncation=True, max_length=77, return_tensors="pt")
    with torch.no_grad():
        expected = model(**shown, **tokens).logits_per_text.diagonal()
    np.testing.assert_allclose(_values(PickScore(pick), images, PROMPTS), expected, rtol=1e-4)


def test_hps_pads_images_that_are_not_square(clip: Path) -> None:
    """An image with black bars scores as the same image without: the model sees the same pixels."""
    wide = np.random.default_rng(1).integers(0, 256, (1, 16, 32, 3), dtype=np.uint8)
    barred = np.zeros((1, 32, 32, 3), np.uint8)
    barred[:, 8:24] = wide
    hps = ClipScore(ClipTower(clip, resize="longest"), "hps")
    assert _values(hps, wide, ["a"]) == pytest.approx(_values(hps, barred, ["a"]), abs=1e-6)
    assert CLIPS["hps-v2.1"] == ("ViT-H-14", "longest")


@pytest.mark.parametrize("kind", ["aesthetic", "pickscore"])
def test_batch_and_order_do_not_matter(kind: str, clip: Path, head: Path, pick: Path, images: np.ndarray) -> None:
    made: Any = PickScore(pick) if kind == "pickscore" else Aesthetic(ClipTower(clip), head, width=16)
    together = _values(made, images, PROMPTS)
    alone = [_values(made, images[i : i + 1], PROMPTS[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(alone, together, rtol=1e-4)
    np.testing.assert_allclose(_values(made, images[::-1], PROMPTS[::-1])[::-1], together, rtol=1e-4)
    assert made.score(images[:0], []) == {kind: []}


def test_pickscore_of_prompts_that_are_empty_or_very_long(pick: Path, images: np.ndarray) -> None:
    empty, long = PickScore(pick).score(images[:2], ["", "red " * 2500])["pickscore"]
    assert empty.reason == "the prompt is empty"
    assert np.isfinite(long.value or np.nan)


@pytest.mark.parametrize("fault", ["cut", "other shapes", "other names", "text"])
def test_a_broken_head_is_told(clip: Path, head: Path, tmp_path: Path, images: np.ndarray, fault: str) -> None:
    path = tmp_path / "head.pth"
    if fault == "cut":
        path.write_bytes(head.read_bytes()[:-2000])
    elif fault == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1")
    else:
        torch.save(AestheticHead(8).state_dict() if fault == "other shapes" else {"weight": torch.zeros(2)}, path)
    with pytest.raises(BadWeights, match=r"head\.pth"):
        Aesthetic(ClipTower(clip), path, width=16).score(images, PROMPTS)


def test_a_broken_pickscore_is_told(pick: Path, tmp_path: Path, images: np.ndarray) -> None:
    for file in pick.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file({"logit_scale": torch.tensor(1.0)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadWeights, match="is missing"):
        PickScore(tmp_path).score(images, PROMPTS)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadWeights, match="contains no PickScore"):
        PickScore(tmp_path).score(images, PROMPTS)
