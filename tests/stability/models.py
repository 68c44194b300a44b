"""Small models with random weights, and SDXL's own on the meta device."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor

DATA = Path(__file__).parents[1] / "data"


def tiny_unet() -> UNet2DConditionModel:
    """SDXL's arrangement at widths 16 and 32: 16 and 4 tokens of an 8 x 8 latent, heads of width 8."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 16, 32),
        layers_per_block=1,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(2, 2, 4),
        cross_attention_dim=24,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=16 + 6 * 8,
        norm_num_groups=4,
    ).eval()


@cache
def sdxl() -> UNet2DConditionModel:
    """stabilityai/stable-diffusion-xl-base-1.0's UNet by its configuration, without its weights."""
    with torch.device("meta"):
        return UNet2DConditionModel(
            sample_size=128,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(320, 640, 1280),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )


def call(unet: UNet2DConditionModel, rows: int | Sequence[int] = 2, seed: int = 0) -> Tensor:
    """One denoising call of so many rows, or of rows with these seeds; a seed's row is the same in any batch."""
    seeds = range(rows) if isinstance(rows, int) else rows

    def noise(*shape: int) -> Tensor:
        rows_of_noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed + i)) for i in seeds]
        return torch.stack(rows_of_noise).to(unet.dtype)

    conditions = {"text_embeds": noise(16), "time_ids": torch.full((len(seeds), 6), 8.0, dtype=unet.dtype)}
    with torch.no_grad():
        return unet(noise(4, 8, 8), 500, encoder_hidden_states=noise(5, 24), added_cond_kwargs=conditions).sample


def golden(name: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> tuple[Attention, dict[str, Tensor]]:
    """The released code's layer and what it gave, which was computed in float32."""
    data = {key: torch.from_numpy(value) for key, value in np.load(DATA / f"attention_{name}.npz").items()}
    layer = Attention(data["x"].shape[-1], heads=int(data["heads"]), dim_head=int(data["dim_head"])).eval()
    layer.load_state_dict({key.removeprefix("w_"): value for key, value in data.items() if key.startswith("w_")})
    data = {key: value.to(device, dtype if key == "x" else None) for key, value in data.items()}
    return layer.requires_grad_(False).to(device, dtype), data


def layer(width: int = 24, heads: int = 2, seed: int = 0, **options: object) -> Attention:
    """A self-attention with random weights, sharp enough that alpha matters."""
    torch.manual_seed(seed)
    attention = Attention(width, heads=heads, dim_head=width // heads, **options).eval().requires_grad_(False)
    for projection in (attention.to_q, attention.to_k):
        projection.weight.mul_(4)
    return attention


def heads_of(attention: Attention, x: Tensor) -> tuple[Tensor, Tensor]:
    """q and k (B, H, L, d)."""
    return tuple(to(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2) for to in (attention.to_q, attention.to_k))
