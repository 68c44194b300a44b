"""ImageReward at the smallest size: loaded from a checkpoint with the authors' names, against BLIP written out here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from skewbench.eval.scorers.image_reward import LONGEST, ImageReward
from skewbench.eval.scoring.blip_reward import DEVIATION, MEAN, TEXT, VISION, ImageRewardModel, renamed
from skewbench.eval.weights import BadWeights
from tests.eval.scorers.tiny_weights import TINY_TEXT, TINY_VISION, VOCABULARY, authors_state, save_image_reward

PROMPTS = ["a red circle", "a blue square", "a green star", "red"]
MEANS, DEVIATIONS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_image_reward(tmp_path_factory.mktemp("image-reward"))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def _scorer(folder: Path) -> ImageReward:
    return ImageReward(folder, text=TINY_TEXT, vision=TINY_VISION)


def _values(folder: Path, images: np.ndarray, prompts: list[str]) -> list[float | None]:
    return [score.value for score in _scorer(folder).score(images, prompts)["image_reward"]]


class _Blip:
    """BLIP's text encoder with cross-attention over a vision transformer, from the papers, on the authors' names."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = {name: tensor.double() for name, tensor in state.items()}

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def norm(self, name: str, x: Tensor, eps: float) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"], eps)

    @staticmethod
    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        q, k, v = (x.unflatten(1, (heads, -1)).transpose(0, 1) for x in (q, k, v))
        weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1)
        return (weights @ v).transpose(0, 1).flatten(1)

    def see(self, pixels: Tensor) -> Tensor:
        """One image (3, 32, 32) -> tokens."""
        of = "blip.visual_encoder"
        kernel, bias = (self.state[f"{of}.patch_embed.proj.{name}"] for name in ("weight", "bias"))
        patches = F.conv2d(pixels[None].double(), kernel, bias, stride=16)[0].flatten(1).T
        x = torch.cat([self.state[f"{of}.cls_token"][0], patches]) + self.state[f"{of}.pos_embed"][0]
        for i in range(2):
            block = f"{of}.blocks.{i}"
            q, k, v = self.linear(f"{block}.attn.qkv", self.norm(f"{block}.norm1", x, 1e-6)).chunk(3, dim=1)
            x = x + self.linear(f"{block}.attn.proj", self.attend(q, k, v, 3))
            inner = F.gelu(self.linear(f"{block}.mlp.fc1", self.norm(f"{block}.norm2", x, 1e-6)))
            x = x + self.linear(f"{block}.mlp.fc2", inner)
        return self.norm(f"{of}.norm", x, 1e-6)

    def read(self, tokens: list[int], seen: Tensor) -> Tensor:
        """Tokens without padding, and what was seen -> the first token's features."""
        of = "blip.text_encoder"
        words, places = (self.state[f"{of}.embeddings.{name}_embeddings.weight"] for name in ("word", "position"))
        x = self.norm(f"{of}.embeddings.LayerNorm", words[tokens] + places[: len(tokens)], 1e-12)
        for i in range(2):
            layer = f"{of}.encoder.layer.{i}"
            for kind in ("attention", "crossattention"):
                other = x if kind == "attention" else seen
                parts = [f"{layer}.{kind}.self.{name}" for name in ("query", "key", "value")]
                q, k, v = (self.linear(name, y) for name, y in zip(parts, (x, other, other), strict=True))
                out = self.linear(f"{layer}.{kind}.output.dense", self.attend(q, k, v, 2))
                x = self.norm(f"{layer}.{kind}.output.LayerNorm", out + x, 1e-12)
            inner = F.gelu(self.linear(f"{layer}.intermediate.dense", x))
            x = self.norm(f"{layer}.output.LayerNorm", self.linear(f"{layer}.output.dense", inner) + x, 1e-12)
        return x[0]

    def reward(self, image: np.ndarray, prompt: str) -> float:
        scaled = torch.from_numpy(image.copy()).permute(2, 0, 1) / 255
        pixels = (scaled - torch.tensor(MEANS)[:, None, None]) / torch.tensor(DEVIATIONS)[:, None, None]
        tokens = [VOCABULARY.index(word) for word in ("[CLS]", *prompt.split(), "[SEP]")]
        x = self.read(tokens, self.see(pixels))
        for layer in (0, 2, 4, 6, 7):
            x = self.linear(f"mlp.layers.{layer}", x)
        return (x.item() - MEAN) / DEVIATION


def test_it_is_the_published_model(folder: Path, images: np.ndarray) -> None:
    """Padding is masked, so that a prompt alone, without any, gives the same."""
    blip = _Blip(authors_state())
    expected = [blip.reward(image, prompt) for image, prompt in zip(images, PROMPTS, strict=True)]
    np.testing.assert_allclose(_values(folder, images, PROMPTS), expected, rtol=1e-4, atol=1e-6)
    assert np.std(expected) > 1e-4


def test_batch_and_order_do_not_matter(folder: Path, images: np.ndarray) -> None:
    together = _values(folder, images, PROMPTS)
    alone = [_values(folder, images[i : i + 1], PROMPTS[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(_values(folder, images[::-1], PROMPTS[::-1])[::-1], together, rtol=1e-4, atol=1e-6)
    assert _scorer(folder).score(images[:0], []) == {"image_reward": []}


def test_prompts_that_are_empty_or_very_long(folder: Path, images: np.ndarray) -> None:
    empty, long = _scorer(folder).score(images[:2], ["  ", "red " * 2500])["image_reward"]
    assert empty.reason == "the prompt is empty"
    cut = _values(folder, images[1:2], ["red " * (LONGEST - 2)])
    assert [long.value] == pytest.approx(cut, rel=1e-5)


def test_the_published_size_is_blips() -> None:
    """ViT-L/16 and BERT base with cross-attention: 446 M numbers with the head."""
    with torch.device("meta"):
        numbers = sum(parameter.numel() for parameter in ImageRewardModel(TEXT, VISION).parameters())
    assert numbers == pytest.approx(446e6, rel=0.01)


@pytest.mark.parametrize("fault", ["cut", "other", "text"])
def test_a_broken_checkpoint_is_told(folder: Path, tmp_path: Path, images: np.ndarray, fault: str) -> None:
    path = tmp_path / "ImageReward.pt"
    if fault == "cut":
        path.write_bytes((folder / "ImageReward.pt").read_bytes()[:-3000])
    elif fault == "text":
        path.write_text("something else")
    else:
        torch.save({"blip.visual_encoder.norm.weight": torch.zeros(12)}, path)
    with pytest.raises(BadWeights, match=r"ImageReward\.pt"):
        _scorer(tmp_path).score(images, PROMPTS)
    assert renamed({"blip.visual_encoder.blocks.0.attn.proj.bias": torch.zeros(1)}).keys() == {
        "vision.encoder.layers.0.self_attn.projection.bias"
    }
