"""CLIPScore on a tiny CLIP that is loaded through open_clip's own loader."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from skewbench.eval.scorers.clip_score import ClipScore
from skewbench.eval.scoring import remembered
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.weights import BadWeights, MissingWeights, path_of
from tests.eval.scorers.tiny_clip import CONFIG, save_tiny_clip, tiny_state

PROMPTS = ["a red circle", "a dog", "two owls", "a dog"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 48, 40, 3), dtype=np.uint8)


def _values(scorer: ClipScore, images: np.ndarray, prompts: list[str]) -> list[float | None]:
    return [score.value for score in scorer.score(images, prompts)["clip_score"]]


def test_it_is_the_cosine_that_open_clip_gives(folder: Path, images: np.ndarray) -> None:
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    pixels = torch.stack([transform(Image.fromarray(image)) for image in images])
    with torch.no_grad():
        shown = model.eval().encode_image(pixels)
        texts = model.encode_text(open_clip.tokenize(PROMPTS))
    expected = torch.nn.functional.cosine_similarity(shown, texts)
    np.testing.assert_allclose(_values(ClipScore(ClipTower(folder)), images, PROMPTS), expected, atol=1e-6)


def test_batch_and_order_do_not_matter(folder: Path, images: np.ndarray) -> None:
    together = _values(ClipScore(ClipTower(folder)), images, PROMPTS)
    alone = [_values(ClipScore(ClipTower(folder)), images[i : i + 1], PROMPTS[i : i + 1])[0] for i in range(4)]
    turned = _values(ClipScore(ClipTower(folder)), images[::-1], PROMPTS[::-1])[::-1]
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(turned, together, atol=1e-6)


def test_features_are_computed_once(folder: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    tower = ClipTower(folder)
    monkeypatch.setattr(remembered, "KEPT_BYTES", 2 * 4 * CONFIG["embed_dim"])
    first = tower.images(images[[0, 1, 1, 0]])
    assert len(tower._images) == 2
    assert torch.equal(first[0], first[3])
    monkeypatch.setattr(tower._loaded, "model", None)  # from here on nothing can be computed
    assert torch.equal(tower.images(images[[1, 0]]), first[[1, 0]])
    with pytest.raises(AttributeError):
        tower.images(images[2:3])


def test_prompts_that_are_empty_or_very_long(folder: Path, images: np.ndarray) -> None:
    scores = ClipScore(ClipTower(folder)).score(images[:3], ["", "  ", "very " * 2000])["clip_score"]
    assert [score.reason for score in scores[:2]] == ["the prompt is empty"] * 2
    assert np.isfinite(scores[2].value or np.nan)
    assert ClipScore(ClipTower(folder)).score(images[:0], []) == {"clip_score": []}


def test_configuration_and_checkpoint_by_path(folder: Path, images: np.ndarray, tmp_path: Path) -> None:
    """As safetensors, and as a pickle of tensors in half precision."""
    config = tmp_path / "of-a-test.json"
    config.write_text(json.dumps(CONFIG))
    save_file(tiny_state(), tmp_path / "weights.safetensors")
    torch.save({"state_dict": {k: v.half() for k, v in tiny_state().items()}}, tmp_path / "weights.pt")
    expected = _values(ClipScore(ClipTower(folder)), images, PROMPTS)
    whole = ClipScore(ClipTower(config, tmp_path / "weights.safetensors"))
    half = ClipScore(ClipTower(config, lambda: tmp_path / "weights.pt"))
    np.testing.assert_allclose(_values(whole, images, PROMPTS), expected, atol=1e-6)
    np.testing.assert_allclose(_values(half, images, PROMPTS), expected, atol=5e-3)


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("a pickle has run",)


@pytest.mark.parametrize("kind", ["cut", "other", "text", "pickle", "absent", "no weights"])
def test_a_broken_checkpoint_is_told(folder: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture) -> None:
    config = tmp_path / "of-a-test.json"
    config.write_text(json.dumps(CONFIG))
    weights = tmp_path / "weights.safetensors"
    if kind == "cut":
        weights.write_bytes((folder / "open_clip_model.safetensors").read_bytes()[:-1000])
    elif kind == "other":
        save_file({"visual.proj": torch.zeros(2, 2)}, weights)
    elif kind in ("text", "pickle"):
        weights = tmp_path / "weights.pt"
        weights.write_text("<html>not found</html>") if kind == "text" else torch.save(_Evil(), weights)
    tower = ClipTower(config, None if kind == "no weights" else weights)
    with pytest.raises(BadWeights, match=r"of-a-test\.json"):
        tower.texts(["a dog"])
    assert "pickle has run" not in capsys.readouterr().out


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match="skewbench weights get clip-vit-b-32"):
        ClipTower("ViT-B-32-quickgelu", partial(path_of, "clip-vit-b-32")).texts(["a dog"])
