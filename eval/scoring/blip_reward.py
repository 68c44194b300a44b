"""ImageReward's network: transformers' BLIP with a head on the text's first token, and its authors' checkpoint."""

from typing import Any

import torch
from torch import Tensor, nn

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.eval.scoring.aesthetic_head import AestheticHead

MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072
"""Mean and standard deviation of the rewards on the authors' validation set; scores are in these units."""

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
        """Compute the rewards of images and prompts.

        Args:
            pixels: Images as CLIP normalises them; shape (n, 3, h, w).
            tokens: Token ids; shape (n, t).
            mask: 1 for tokens, 0 for padding; shape (n, t).

        Returns:
            Rewards in standard deviations of the authors' validation set; shape (n,).
        """
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
"""Prefixes of names in the authors' checkpoint -> prefixes in transformers' BLIP."""
_INSIDE = {
    ".attn.proj.": ".self_attn.projection.",
    ".attn.": ".self_attn.",
    ".norm1.": ".layer_norm1.",
    ".norm2.": ".layer_norm2.",
}


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' checkpoint to the names of our module.

    Args:
        state: Tensors of the authors' checkpoint by name.

    Returns:
        Tensors by our names. Entries that are not weights (position ids) are left out.
    """
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
