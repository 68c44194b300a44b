"""A tiny denoiser with random weights of each class whose attention differs, and a call of it with two rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from diffusers import (
    FluxTransformer2DModel,
    HunyuanDiT2DModel,
    Lumina2Transformer2DModel,
    PixArtTransformer2DModel,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    WanTransformer3DModel,
)
from diffusers.models.embeddings import get_2d_rotary_pos_embed
from torch import Tensor, nn

TEXT = 5
"""Text tokens."""


class Denoiser(NamedTuple):
    """A model and the arguments of one call."""

    model: nn.Module
    given: dict[str, Any]

    def __call__(self, row: int | None = None) -> Tensor:
        """What the model predicts, for all rows or for one of them alone."""
        given = self.given if row is None else {name: _row(name, value, row) for name, value in self.given.items()}
        with torch.no_grad():
            found: Tensor = self.model(**given, return_dict=False)[0]
        return found


def _row(name: str, value: Any, row: int) -> Any:
    if name == "img_shapes":
        return value[row : row + 1]
    per_row = isinstance(value, Tensor) and value.ndim > 0 and name not in ("img_ids", "txt_ids")
    return value[row : row + 1] if per_row else value


def make(name: str) -> Denoiser:
    """One of `DENOISERS`, with projections sharp enough that alpha matters."""
    torch.manual_seed(0)
    model, given = DENOISERS[name]()
    for parameter_name, parameter in model.named_parameters():
        if "to_q" in parameter_name or "to_k" in parameter_name:
            parameter.data.mul_(4)
    return Denoiser(model.eval().requires_grad_(False), given)


def _noise(*shape: int) -> Tensor:
    return torch.randn(shape)


def _padded(dtype: torch.dtype) -> Tensor:
    """A mask of text tokens: all of the first row's, three of the second's."""
    mask = torch.ones(2, TEXT, dtype=dtype)
    mask[1, 3:] = 0
    return mask


def _sd3() -> tuple[nn.Module, dict[str, Any]]:
    model = SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=16, caption_projection_dim=16, pooled_projection_dim=16,
        pos_embed_max_size=8, dual_attention_layers=(0,), qk_norm="rms_norm",
    )  # fmt: skip
    given = {"hidden_states": _noise(2, 4, 8, 8), "encoder_hidden_states": _noise(2, TEXT, 16)}
    return model, {**given, "pooled_projections": _noise(2, 16), "timestep": torch.tensor([500.0, 500.0])}


def _flux() -> tuple[nn.Module, dict[str, Any]]:
    model = FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=2, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip
    places = torch.stack([torch.zeros(16), torch.arange(16) // 4, torch.arange(16) % 4], dim=1)
    return model, {
        "hidden_states": _noise(2, 16, 4),
        "encoder_hidden_states": _noise(2, TEXT, 16),
        "pooled_projections": _noise(2, 16),
        "timestep": torch.tensor([0.5, 0.5]),
        "img_ids": places,
        "txt_ids": torch.zeros(TEXT, 3),
    }


def _qwen() -> tuple[nn.Module, dict[str, Any]]:
    model = QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    return model, {
        "hidden_states": _noise(2, 16, 16),
        "encoder_hidden_states": _noise(2, TEXT, 16),
        "encoder_hidden_states_mask": _padded(torch.bool),
        "timestep": torch.tensor([0.5, 0.5]),
        "img_shapes": [[(1, 4, 4)]] * 2,
    }


def _lumina() -> tuple[nn.Module, dict[str, Any]]:
    model = Lumina2Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, hidden_size=48, num_layers=2, num_refiner_layers=1,
        num_attention_heads=6, num_kv_heads=2, multiple_of=2, axes_dim_rope=(4, 2, 2), axes_lens=(64, 32, 32),
        cap_feat_dim=16,
    )  # fmt: skip
    return model, {
        "hidden_states": _noise(2, 4, 8, 8),
        "timestep": torch.tensor([0.5, 0.5]),
        "encoder_hidden_states": _noise(2, TEXT, 16),
        "encoder_attention_mask": _padded(torch.long),
    }


def _wan() -> tuple[nn.Module, dict[str, Any]]:
    model = WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=16,
        freq_dim=16, ffn_dim=32, num_layers=2, rope_max_seq_len=32,
    )  # fmt: skip
    given = {"hidden_states": _noise(2, 4, 2, 8, 8), "encoder_hidden_states": _noise(2, TEXT, 16)}
    return model, {**given, "timestep": torch.tensor([500, 500])}


def _pixart() -> tuple[nn.Module, dict[str, Any]]:
    model = PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        cross_attention_dim=16, sample_size=8, patch_size=2, caption_channels=16, use_additional_conditions=False,
    )  # fmt: skip
    return model, {
        "hidden_states": _noise(2, 4, 8, 8),
        "encoder_hidden_states": _noise(2, TEXT, 16),
        "encoder_attention_mask": _padded(torch.float32),
        "timestep": torch.tensor([500, 500]),
        "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    }


def _hunyuan() -> tuple[nn.Module, dict[str, Any]]:
    model = HunyuanDiT2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, patch_size=2, sample_size=8, hidden_size=16,
        num_layers=2, cross_attention_dim=16, cross_attention_dim_t5=16, pooled_projection_dim=4, text_len=TEXT,
        text_len_t5=6,
    )  # fmt: skip
    return model, {
        "hidden_states": _noise(2, 4, 8, 8),
        "timestep": torch.tensor([500.0, 500.0]),
        "encoder_hidden_states": _noise(2, TEXT, 16),
        "text_embedding_mask": torch.ones(2, TEXT),
        "encoder_hidden_states_t5": _noise(2, 6, 16),
        "text_embedding_mask_t5": torch.ones(2, 6),
        "image_meta_size": torch.full((2, 6), 8.0),
        "style": torch.zeros(2, dtype=torch.long),
        "image_rotary_emb": get_2d_rotary_pos_embed(8, ((0, 0), (4, 4)), (4, 4), output_type="pt"),
    }


def _deepfloyd() -> tuple[nn.Module, dict[str, Any]]:
    model = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(16, 32), in_channels=3, out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        cross_attention_dim=16, encoder_hid_dim=16, attention_head_dim=8, addition_embed_type="text",
        addition_embed_type_num_heads=2, resnet_time_scale_shift="scale_shift", norm_num_groups=4, act_fn="gelu",
    )  # fmt: skip
    return model, {"sample": _noise(2, 3, 8, 8), "timestep": 500, "encoder_hidden_states": _noise(2, TEXT, 16)}


def _audioldm() -> tuple[nn.Module, dict[str, Any]]:
    model = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(16, 32), in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(16, 32), class_embed_type="simple_projection", projection_class_embeddings_input_dim=16,
        class_embeddings_concat=True, norm_num_groups=4, attention_head_dim=8,
    )  # fmt: skip
    given = {"sample": _noise(2, 4, 8, 8), "timestep": 500, "encoder_hidden_states": None}
    return model, {**given, "class_labels": _noise(2, 16)}


def _sd15() -> tuple[nn.Module, dict[str, Any]]:
    model = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(16, 32), in_channels=4, out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16, norm_num_groups=4, attention_head_dim=2,
    )  # fmt: skip
    return model, {"sample": _noise(2, 4, 8, 8), "timestep": 500, "encoder_hidden_states": _noise(2, TEXT, 16)}


DENOISERS: dict[str, Callable[[], tuple[nn.Module, dict[str, Any]]]] = {
    "stable-diffusion-1.5": _sd15,
    "stable-diffusion-3": _sd3,
    "flux": _flux,
    "qwen-image": _qwen,
    "lumina-2": _lumina,
    "wan": _wan,
    "pixart": _pixart,
    "hunyuan-dit": _hunyuan,
    "deepfloyd-if": _deepfloyd,
    "audioldm": _audioldm,
}
