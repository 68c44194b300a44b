"""Denoisers at full size with seeded random weights, at 1024 px: SDXL's UNet, and the transformers of SD3 and FLUX.

Random weights are as much work as trained ones. What they predict is noise, or not finite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import FluxTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from tests.stability.models import sdxl, tiny_unet


@dataclass(frozen=True)
class Size:
    """A denoiser by its configuration, and the arguments of one call at 1024 px."""

    model: Callable[[], nn.Module]
    given: Callable[[Any], dict[str, Any]]
    """From the model's configuration. Tensors are made on the current default device, in the default dtype."""
    rows: int
    """Of one call: both branches of guidance, or one where guidance is distilled."""
    joint: bool
    """Whether image and text share a softmax: nothing is rescaled there."""


class Denoiser:
    """A denoiser with its weights, and a call of it: one step of a loop."""

    def __init__(self, size: Size, device: str, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(device):
                self.model = size.model().eval().requires_grad_(False)
                self.given = size.given(self.model.config)
        finally:
            torch.set_default_dtype(before)
        if device != "meta":
            self.model.to(device)  # some positions are made by numpy

    def __call__(self) -> Tensor:
        """Predict once."""
        with torch.no_grad():
            found: Tensor = self.model(**self.given, return_dict=False)[0]
        return found


def _unet_given(config: Any, words: int) -> dict[str, Any]:
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    return {
        "sample": torch.randn(2, config.in_channels, config.sample_size, config.sample_size),
        "timestep": 500,
        "encoder_hidden_states": torch.randn(2, words, config.cross_attention_dim),
        "added_cond_kwargs": {"text_embeds": torch.randn(2, pooled), "time_ids": torch.ones(2, 6)},
    }


def _sd3_given(config: Any, words: int) -> dict[str, Any]:
    return {
        "hidden_states": torch.randn(2, config.in_channels, config.sample_size, config.sample_size),
        "encoder_hidden_states": torch.randn(2, words, config.joint_attention_dim),
        "pooled_projections": torch.randn(2, config.pooled_projection_dim),
        "timestep": torch.full((2,), 500.0),
    }


def _flux_given(config: Any, side: int, words: int) -> dict[str, Any]:
    at = torch.arange(side * side)
    return {
        "hidden_states": torch.randn(1, side * side, config.in_channels),
        "encoder_hidden_states": torch.randn(1, words, config.joint_attention_dim),
        "pooled_projections": torch.randn(1, config.pooled_projection_dim),
        "timestep": torch.full((1,), 0.5),
        "guidance": torch.full((1,), 3.5),
        "img_ids": torch.stack([0 * at, at // side, at % side], dim=1).to(torch.get_default_dtype()),
        "txt_ids": torch.zeros(words, 3),
    }


def _sd3(**options: Any) -> SD3Transformer2DModel:
    return SD3Transformer2DModel(patch_size=2, **options)


def _flux(**options: Any) -> FluxTransformer2DModel:
    return FluxTransformer2DModel(patch_size=1, guidance_embeds=True, **options)


SIZES: dict[str, Size] = {
    "SDXL": Size(lambda: UNet2DConditionModel.from_config(sdxl().config), lambda c: _unet_given(c, 77), 2, False),
    "SD3 medium": Size(
        lambda: _sd3(
            sample_size=128, in_channels=16, out_channels=16, num_layers=24, attention_head_dim=64,
            num_attention_heads=24, joint_attention_dim=4096, caption_projection_dim=1536, pooled_projection_dim=2048,
            pos_embed_max_size=192,
        ), lambda c: _sd3_given(c, 333), 2, True,
    ),
    "FLUX.1-dev": Size(
        lambda: _flux(
            in_channels=64, num_layers=19, num_single_layers=38, attention_head_dim=128, num_attention_heads=24,
            joint_attention_dim=4096, pooled_projection_dim=768, axes_dims_rope=(16, 56, 56),
        ), lambda c: _flux_given(c, 64, 512), 1, True,
    ),
}  # fmt: skip
"""As published, by their configurations."""

TINY: dict[str, Size] = {
    "SDXL": Size(tiny_unet, lambda c: _unet_given(c, 5), 2, False),
    "SD3 medium": Size(
        lambda: _sd3(
            sample_size=8, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2,
            joint_attention_dim=16, caption_projection_dim=16, pooled_projection_dim=16, pos_embed_max_size=8,
        ), lambda c: _sd3_given(c, 5), 2, True,
    ),
    "FLUX.1-dev": Size(
        lambda: _flux(
            in_channels=4, num_layers=1, num_single_layers=2, attention_head_dim=8, num_attention_heads=2,
            joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=(2, 2, 4),
        ), lambda c: _flux_given(c, 4, 5), 1, True,
    ),
}  # fmt: skip
"""The same in small, for rehearsals."""
