"""Parts of the bundled model `shapes-mmdit`: diffusers' and transformers' own classes in SD3's arrangement, small.

The autoencoder, the tokenizer and both text encoders are those of `shapes-xl`, frozen. There is no T5 encoder: with
`max_sequence_length=0` the pipeline appends no T5 tokens, so a prompt is the 40 CLIP tokens alone.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from skewbench.tasks.models import BUNDLED
from skewbench.training.shapes_xl.architecture import LATENT_CHANNELS, TEXT_WIDTH

LATENT_SIZE = 16
PATCH = 2
T5_TOKENS = 0
"""`max_sequence_length` in training and in use: the number of T5 tokens, all zeros without a T5 encoder."""
WITHOUT_T5 = {"text_encoder_3": None, "tokenizer_3": None}
"""What `from_pretrained` has to be given: it does not accept that model_index.json has these components as null."""
HEADS, HEAD_WIDTH, DEPTH = 5, 32, 6


def denoiser() -> SD3Transformer2DModel:
    """Build the MMDiT: 64 image tokens, joint attention with the text, RMS norm of queries and keys as in SD3.5."""
    model = SD3Transformer2DModel(
        sample_size=LATENT_SIZE,
        patch_size=PATCH,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_layers=DEPTH,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=HEADS,
        caption_projection_dim=HEADS * HEAD_WIDTH,
        joint_attention_dim=2 * TEXT_WIDTH,
        pooled_projection_dim=2 * TEXT_WIDTH,
        pos_embed_max_size=LATENT_SIZE // PATCH,
        qk_norm="rms_norm",
    )
    _initialise(model)
    return model


def _initialise(model: SD3Transformer2DModel) -> None:
    """Initialise as DiT does (Peebles and Xie 2023, arXiv 2212.09748, "adaLN-Zero"): each block starts as identity."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    modulations = [norm.linear for block in model.transformer_blocks for norm in (block.norm1, block.norm1_context)]
    for zero in (*modulations, model.norm_out.linear, model.proj_out):
        nn.init.zeros_(zero.weight)
        nn.init.zeros_(zero.bias)


def scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Build the Euler sampler of rectified flow."""
    return FlowMatchEulerDiscreteScheduler(shift=1.0)


def frozen_parts(source: Path = BUNDLED["shapes-xl"]) -> dict[str, Any]:
    """Load what is shared with `shapes-xl`, in float32.

    SD3 reads a pooled vector of both encoders, while SDXL's first encoder has no projection: it gets the identity.

    Args:
        source: Folder of `shapes-xl`.

    Returns:
        The pipeline's components by name, without denoiser and scheduler.
    """
    vae = AutoencoderKL.from_pretrained(source, subfolder="vae", dtype=torch.float32)
    vae.register_to_config(shift_factor=0.0)  # SD3's pipeline adds it; None would fail
    first = CLIPTextModel.from_pretrained(source, subfolder="text_encoder", dtype=torch.float32)
    projected = CLIPTextModelWithProjection(first.config)
    projected.text_model.load_state_dict(first.state_dict())
    projected.text_projection.load_state_dict({"weight": torch.eye(TEXT_WIDTH)})
    second = CLIPTextModelWithProjection.from_pretrained(source, subfolder="text_encoder_2", dtype=torch.float32)
    tokenizers = (CLIPTokenizer.from_pretrained(source, subfolder=name) for name in ("tokenizer", "tokenizer_2"))
    parts = {"vae": vae, "text_encoder": projected.eval(), "text_encoder_2": second.eval()}
    return {**parts, **dict(zip(("tokenizer", "tokenizer_2"), tokenizers, strict=True))}


def pipeline(parts: dict[str, Any]) -> StableDiffusion3Pipeline:
    """Assemble a StableDiffusion3Pipeline without T5.

    Args:
        parts: Components by name, without scheduler: those of `frozen_parts`, and `transformer`.
    """
    return StableDiffusion3Pipeline(scheduler=scheduler(), **WITHOUT_T5, **parts)


def load(folder: Path, device: str = "cpu") -> StableDiffusion3Pipeline:
    """Load an exported model in float32, without progress bars.

    Args:
        folder: Folder of the model, in the layout of a hub repository.
        device: Torch device.
    """
    options = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
    loaded = StableDiffusion3Pipeline.from_pretrained(folder, **WITHOUT_T5, **options).to(device)
    loaded.set_progress_bar_config(disable=True)
    return loaded
