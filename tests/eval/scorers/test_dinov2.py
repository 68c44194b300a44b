"""DINOv2's features against transformers' own processor and model, and files that are no DINOv2."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BitImageProcessorPil, Dinov2Model

from skewbench.eval.features.dinov2 import Dinov2
from skewbench.eval.scorers import Scorers
from skewbench.eval.scoring.feature_diversity import FeatureDiversity
from skewbench.eval.weights import BadWeights, MissingWeights
from tests.eval.scorers.tiny_features import save_dinov2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dinov2(tmp_path_factory.mktemp("dinov2"))


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 64), (300, 200), (64, 64))]


def test_it_is_the_class_token_that_transformers_gives(folder: Path, images: list[np.ndarray]) -> None:
    processor = BitImageProcessorPil(
        size={"height": 224, "width": 224}, do_center_crop=False, resample=3,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    model = Dinov2Model.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = torch.cat([model(**processor(image, return_tensors="pt")).pooler_output for image in images])
    found = Dinov2(folder).images(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert found.std(dim=0).min() > 0  # the images differ in every feature
    assert Dinov2(folder).images([]).shape == (0, 24)


def test_each_image_is_computed_once(folder: Path, images: list[np.ndarray]) -> None:
    network = Dinov2(folder)
    first = network.images(images)
    network.__dict__["_model"] = None  # from here on nothing can be computed
    assert torch.equal(network.images(images[::-1]), first.flip(0))
    with pytest.raises(TypeError):
        network.images([255 - images[0]])


@pytest.mark.parametrize("kind", ["cut", "other", "absent"])
def test_a_folder_that_is_no_dinov2_is_an_error(folder: Path, tmp_path: Path, images: list, kind: str) -> None:
    save_dinov2(tmp_path)
    file = tmp_path / "model.safetensors"
    state = load_file(folder / "model.safetensors")
    if kind == "cut":
        file.write_bytes(file.read_bytes()[:-1000])
    elif kind == "absent":
        file.unlink()
    else:
        save_file({name: tensor for name, tensor in state.items() if "layernorm" not in name}, file, {"format": "pt"})
    with pytest.raises(BadWeights, match="holds no DINOv2"):
        Dinov2(tmp_path).images(images)


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: list) -> None:
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match="skewbench weights get dinov2-vit-l-14"):
        Scorers().features("dinov2").images(images)


def test_scorers_share_the_network() -> None:
    scorers = Scorers()
    mss, rke = scorers.get("dinov2_mss"), scorers.get("dinov2_rke")
    assert isinstance(mss, FeatureDiversity)
    assert isinstance(rke, FeatureDiversity)
    assert mss._features is rke._features is scorers.features("dinov2")
