"""Training set of `shapes-mmdit`: images, latents and caption tokens of scenes, computed once."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float, Int, UInt8
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor

from skewbench.training.shapes_xl.data import as_model_input, captions_of, draw_pool

SHARES = (0.3, 0.5, 0.2)
"""Share of scenes with one, two and three objects. Relations are learned from two and three objects."""
CAPTIONS = 8
"""Captions per scene."""
_ENCODED_AT_ONCE = 250


def write_training_set(path: Path, parts: dict[str, Any], scenes: int, seed: int, device: str) -> None:
    """Render scenes of the training split, encode them, and write latents and caption tokens.

    Args:
        path: Safetensors file to write: `latents` (n, 4, 16, 16) in float16, scaled; `words` (n, 8, 40), token numbers;
            `pixels` (n, 64, 64, 3).
        parts: The frozen components of the pipeline.
        scenes: Number of scenes, n.
        seed: Decides scenes and captions.
        device: Where the autoencoder runs.
    """
    pool = draw_pool(scenes, seed, shares=SHARES)
    vae = parts["vae"].to(device)
    latents = torch.cat(
        [_encode(vae, p.to(device)).cpu() for p in track(pool.pixels.split(_ENCODED_AT_ONCE), "encoding")]
    )
    words = torch.stack([tokens(parts, captions_of(pool.scenes, seed * CAPTIONS + i)) for i in range(CAPTIONS)], dim=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"latents": latents.half().contiguous(), "words": words.short(), "pixels": pool.pixels}, path)


def read_training_set(
    path: Path,
) -> tuple[Float[Tensor, "n 4 16 16"], Int[Tensor, "n 8 40"], UInt8[Tensor, "n 64 64 3"]]:
    """Read what `write_training_set` wrote.

    Args:
        path: The safetensors file.

    Returns:
        Scaled latents, shape (n, 4, 16, 16), token ids, shape (n, 8, 40), and images, shape (n, 64, 64, 3).
    """
    tensors = load_file(path)
    return tensors["latents"].float(), tensors["words"].long(), tensors["pixels"]


def tokens(parts: dict[str, Any], captions: list[str]) -> Int[Tensor, "n 40"]:
    """Return the token ids of captions, padded. Both tokenizers of the pipeline are the same.

    Args:
        parts: Components by name, with `tokenizer`.
        captions: n captions.

    Returns:
        Token ids; shape (n, 40).
    """
    encoded = parts["tokenizer"](captions, padding="max_length", truncation=True, return_tensors="pt")
    return torch.as_tensor(encoded.input_ids)


@torch.no_grad()
def embed(
    parts: dict[str, Any], words: Int[Tensor, "n 40"]
) -> tuple[Float[Tensor, "n 40 128"], Float[Tensor, "n 128"]]:
    """Embed tokens as `StableDiffusion3Pipeline.encode_prompt` does.

    Args:
        parts: Components by name, with `text_encoder` and `text_encoder_2`.
        words: Token ids; shape (n, 40).

    Returns:
        The layer before the last of both encoders, shape (n, 40, 128), and both pooled outputs, shape (n, 128).
    """
    outputs = [parts[name](words, output_hidden_states=True) for name in ("text_encoder", "text_encoder_2")]
    sequence = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
    return sequence, torch.cat([output.text_embeds for output in outputs], dim=-1)


@torch.inference_mode()
def _encode(vae: AutoencoderKL, pixels: Tensor) -> Float[Tensor, "n 4 16 16"]:
    """Return mean latents, scaled: sharper targets than samples, and the decoder accepts either."""
    mean: Tensor = vae.encode(as_model_input(pixels)).latent_dist.mean
    return mean * float(vae.config.scaling_factor)
