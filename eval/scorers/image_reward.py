"""ImageReward v1.0: how people would rank this picture for this prompt, about −2 to 2; SDXL is at 0.5.

Xu et al., "ImageReward: learning and evaluating human preferences for text-to-image generation", NeurIPS 2023: a BLIP
whose text encoder looks at the picture, and a small network on its first token. The authors' package wants libraries of
2022; BLIP is in transformers under the same names, so that their checkpoint is loaded into that.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.eval.scorers.aesthetic import AestheticHead
from skewbench.eval.scorers.checkpoint import fill, read_tensors
from skewbench.eval.scorers.clip import NO_PROMPT
from skewbench.eval.scorers.contract import Images, Score, check_batch
from skewbench.eval.weights import BadWeights

MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072
"""Of the rewards of the authors' validation set: scores are in its standard deviations."""
LONGEST = 35
"""Tokens of a prompt that are read."""
_BATCH = 16

TEXT: dict[str, Any] = {
    "vocab_size": 30524, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "max_position_embeddings": 512, "encoder_hidden_size": 1024,
}  # fmt: skip
"""BERT base, with cross-attention."""
_NO_SPECIAL = dict.fromkeys(("bos_token_id", "eos_token_id", "sep_token_id"))  # it encodes; it does not write
VISION: dict[str, Any] = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "image_size": 224, "patch_size": 16,
}  # fmt: skip
"""ViT-L/16."""


class ImageRewardModel(nn.Module):
    """BLIP and the head. `text`, `vision`: sizes."""

    def __init__(self, text: dict[str, Any], vision: dict[str, Any]) -> None:
        define_missing_operators()
        from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

        super().__init__()
        self.vision = BlipVisionModel(BlipVisionConfig(**vision, hidden_act="gelu", layer_norm_eps=1e-6))
        self.text = BlipTextModel(BlipTextConfig(**text, layer_norm_eps=1e-12, **_NO_SPECIAL), add_pooling_layer=False)
        self.head = AestheticHead(text["hidden_size"])

    def forward(self, pixels: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Pixels (n, 3, h, w), tokens and their mask (n, t) -> rewards (n,)."""
        seen = self.vision(pixel_values=pixels).last_hidden_state
        read = self.text(
            input_ids=tokens,
            attention_mask=mask,
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device),
        ).last_hidden_state
        return (self.head(read[:, 0]) - MEAN) / DEVIATION


_RENAMED = {
    "blip.text_encoder.": "text.",
    "blip.visual_encoder.blocks.": "vision.encoder.layers.",
    "blip.visual_encoder.cls_token": "vision.embeddings.class_embedding",
    "blip.visual_encoder.pos_embed": "vision.embeddings.position_embedding",
    "blip.visual_encoder.patch_embed.proj.": "vision.embeddings.patch_embedding.",
    "blip.visual_encoder.norm.": "vision.post_layernorm.",
    "mlp.": "head.",
}
"""Beginnings of names in the authors' checkpoint -> those of transformers' BLIP."""
_INSIDE = {
    ".attn.proj.": ".self_attn.projection.",
    ".attn.": ".self_attn.",
    ".norm1.": ".layer_norm1.",
    ".norm2.": ".layer_norm2.",
}


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' checkpoint under our names. What is no weight (position numbers) is left out."""
    found = {}
    for name, tensor in state.items():
        old = next((beginning for beginning in _RENAMED if name.startswith(beginning)), None)
        if old is None or name.endswith("position_ids"):
            continue
        new = _RENAMED[old] + name.removeprefix(old)
        if new.startswith("vision."):
            for inside, ours in _INSIDE.items():
                new = new.replace(inside, ours)
        found[new] = tensor
    return found


class ImageReward:
    """Reward of picture and prompt. An empty prompt has none.

    Args:
        weights: Folder with `ImageReward.pt` and BERT's tokenizer, or a function that finds it when it is needed.
        needs: Name of the weights.
        device: Where it computes.
        text, vision: Sizes of BLIP.
    """

    name = "image_reward"
    version = 1
    metrics: tuple[str, ...] = ("image_reward",)

    def __init__(
        self,
        weights: Path | Callable[[], Path],
        needs: tuple[str, ...] = (),
        device: str | torch.device = "cpu",
        text: dict[str, Any] = TEXT,
        vision: dict[str, Any] = VISION,
    ) -> None:
        self.needs = needs
        self._weights, self._device, self._sizes = weights, torch.device(device), (text, vision)

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        scores: list[Score] = []
        for start in range(0, len(prompts), _BATCH):
            part = slice(start, start + _BATCH)
            pairs = zip(self._rewards(images[part], prompts[part]).tolist(), prompts[part], strict=True)
            scores += [Score(reward) if prompt.strip() else NO_PROMPT for reward, prompt in pairs]
        return {"image_reward": scores}

    @torch.inference_mode()
    def _rewards(self, images: Images, prompts: Sequence[str]) -> Tensor:
        model, pictures, tokens = self._loaded
        pixels = pictures(images=[Image.fromarray(image) for image in images], return_tensors="pt")["pixel_values"]
        read = tokens(list(prompts), padding="max_length", truncation=True, max_length=LONGEST, return_tensors="pt")
        inputs = (pixels, read["input_ids"], read["attention_mask"])
        return model(*(tensor.to(self._device) for tensor in inputs)).cpu()

    @cached_property
    def _loaded(self) -> tuple[nn.Module, Any, Any]:
        define_missing_operators()
        from transformers import BertTokenizer, CLIPImageProcessorPil

        folder = self._weights() if callable(self._weights) else self._weights
        path = folder / "ImageReward.pt"
        model = fill(ImageRewardModel(*self._sizes), renamed(read_tensors(path)), path)
        try:
            tokens = BertTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadWeights(f"{folder} holds no tokenizer: {' '.join(str(error).split())[:200]}") from error
        size = self._sizes[1]["image_size"]
        square = {"height": size, "width": size}
        pictures = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size=square)  # CLIP's mean and deviation
        return model.to(self._device), pictures, tokens
