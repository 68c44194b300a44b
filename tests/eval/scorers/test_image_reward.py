"""ImageReward at the smallest size: loaded from a checkpoint with the authors' names, against BLIP written out here."""

import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from skewbench.eval.scorers.aesthetic import AestheticHead
from skewbench.eval.scorers.image_reward import (
    DEVIATION,
    LONGEST,
    MEAN,
    TEXT,
    VISION,
    ImageReward,
    ImageRewardModel,
    renamed,
)
from skewbench.eval.weights import BadWeights

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "green", "circle", "square", "star"]
VOCABULARY = [*WORDS, *string.punctuation]
TINY_TEXT: dict[str, Any] = {
    **TEXT, "vocab_size": len(VOCABULARY), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": 40, "encoder_hidden_size": 12,
}  # fmt: skip
TINY_VISION: dict[str, Any] = {
    **VISION, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
    "image_size": 32,
}  # fmt: skip
PROMPTS = ["a red circle", "a blue square", "a green star", "red"]
MEANS, DEVIATIONS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def _authors_state() -> dict[str, Tensor]:
    """Random weights under the names of the authors' checkpoint."""
    torch.manual_seed(0)
    wide, inner, read = TINY_VISION["hidden_size"], TINY_VISION["intermediate_size"], TINY_TEXT["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "blip.visual_encoder.cls_token": (1, 1, wide),
        "blip.visual_encoder.pos_embed": (1, 5, wide),
        "blip.visual_encoder.patch_embed.proj.weight": (wide, 3, 16, 16),
        "blip.visual_encoder.patch_embed.proj.bias": (wide,),
        "blip.text_encoder.embeddings.word_embeddings.weight": (len(VOCABULARY), read),
        "blip.text_encoder.embeddings.position_embeddings.weight": (40, read),
    }

    def linear(name: str, into: int, out: int) -> None:
        shapes.update({f"{name}.weight": (out, into), f"{name}.bias": (out,)})

    def norm(name: str, width: int) -> None:
        shapes.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    for i in range(2):
        block = f"blip.visual_encoder.blocks.{i}"
        for name in ("norm1", "norm2"):
            norm(f"{block}.{name}", wide)
        for name, into, out in (("attn.qkv", wide, 3 * wide), ("attn.proj", wide, wide)):
            linear(f"{block}.{name}", into, out)
        linear(f"{block}.mlp.fc1", wide, inner)
        linear(f"{block}.mlp.fc2", inner, wide)
        layer = f"blip.text_encoder.encoder.layer.{i}"
        for kind, of in (("attention", read), ("crossattention", wide)):
            linear(f"{layer}.{kind}.self.query", read, read)
            linear(f"{layer}.{kind}.self.key", of, read)
            linear(f"{layer}.{kind}.self.value", of, read)
            linear(f"{layer}.{kind}.output.dense", read, read)
            norm(f"{layer}.{kind}.output.LayerNorm", read)
        linear(f"{layer}.intermediate.dense", read, TINY_TEXT["intermediate_size"])
        linear(f"{layer}.output.dense", TINY_TEXT["intermediate_size"], read)
        norm(f"{layer}.output.LayerNorm", read)
    norm("blip.visual_encoder.norm", wide)
    norm("blip.text_encoder.embeddings.LayerNorm", read)
    state = {name: 0.4 * torch.randn(shape) for name, shape in shapes.items()}
    head = {f"mlp.{name}": tensor for name, tensor in AestheticHead(read).state_dict().items()}
    unread = {
        "blip.text_encoder.embeddings.position_ids": torch.arange(40)[None],
        "blip.vision_proj.weight": torch.zeros(2, wide),
    }
    return {**state, **head, **unread}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image-reward")
    torch.save(_authors_state(), folder / "ImageReward.pt")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    return folder


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
    blip = _Blip(_authors_state())
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


@pytest.mark.parametrize("fault", ["cut", "other"])
def test_a_broken_checkpoint_is_told(folder: Path, tmp_path: Path, images: np.ndarray, fault: str) -> None:
    path = tmp_path / "ImageReward.pt"
    if fault == "cut":
        path.write_bytes((folder / "ImageReward.pt").read_bytes()[:-3000])
    else:
        torch.save({"blip.visual_encoder.norm.weight": torch.zeros(12)}, path)
    with pytest.raises(BadWeights, match=r"ImageReward\.pt"):
        _scorer(tmp_path).score(images, PROMPTS)
    assert renamed({"blip.visual_encoder.blocks.0.attn.proj.bias": torch.zeros(1)}).keys() == {
        "vision.encoder.layers.0.self_attn.projection.bias"
    }
