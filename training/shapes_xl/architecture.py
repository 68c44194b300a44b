"""The bundled model's parts: diffusers' and transformers' own classes in SDXL's arrangement, small.

What differs from SDXL besides size: the autoencoder halves twice (64 px -> 16 x 16 latents), and the scheduler predicts
velocity on a zero-terminal-SNR schedule, which a small model needs to generate a wholly black or white background.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from skewbench.eval.scenes.captions import WORDS
from skewbench.eval.scenes.vocabulary import SIZE

TEXT_WIDTH = 64
TOKENS = 40
"""Longest caption of the grammar, in tokens, with room to spare."""
LATENT_CHANNELS = 4


def autoencoder(channels: int = 3) -> AutoencoderKL:
    """Build the autoencoder: 64 x 64 -> 16 x 16 x 4.

    GroupNorm has few, wide groups: with groups of two channels, colour was lost.

    Args:
        channels: Channels of the input: 3 for images, 1 for spectrograms.
    """
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        latent_channels=LATENT_CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(24, 48, 96),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIZE,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def denoiser() -> UNet2DConditionModel:
    """Build the UNet: two levels, self-attention at both (256 and 64 tokens), SDXL's text-and-time conditioning."""
    return UNet2DConditionModel(
        sample_size=SIZE // 4,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(64, 96),
        layers_per_block=1,
        transformer_layers_per_block=(1, 2),
        attention_head_dim=(4, 6),  # SDXL's misnomer: the number of heads
        cross_attention_dim=2 * TEXT_WIDTH,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * 16,
        norm_num_groups=16,
    )


def text_encoders(tokenizer: CLIPTokenizer) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """Build two encoders of three layers. SDXL reads the layer before the last.

    Args:
        tokenizer: The tokenizer of both.
    """
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config), CLIPTextModelWithProjection(config)


def scheduler() -> EulerDiscreteScheduler:
    """Build SDXL's Euler sampler on SDXL's betas rescaled to zero terminal SNR."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


def write_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write a CLIP byte-pair tokenizer in which each word of the grammar is one token; other words fall into letters.

    Args:
        folder: Folder of `vocab.json` and `merges.txt`; created if needed.

    Returns:
        The tokenizer, loaded from the folder.
    """
    letters = [chr(i) for i in range(33, 127)]
    merges = bpe_merges(WORDS, end="</w>")
    words = [a + b for a, b in merges]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), *words, "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(f"{a} {b}" for a, b in merges)]) + "\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=TOKENS, pad_token="<|endoftext|>")  # noqa: S106


def bpe_merges(words: Sequence[str], end: str) -> list[tuple[str, str]]:
    """Return merges of byte-pair encoding that make each word one token.

    Args:
        words: The words.
        end: What the tokenizer writes after the last letter of a word; empty: nothing.

    Returns:
        Pairs of pieces, in order of rank.
    """
    merges: list[tuple[str, str]] = []
    for word in words:
        while len(pieces := _apply(merges, word, end)) > 1:
            merges.append((pieces[0], pieces[1]))
    return merges


def _apply(merges: list[tuple[str, str]], word: str, end: str) -> list[str]:
    """Byte-pair encoding of one word: merges in order of rank."""
    pieces = [*word[:-1], f"{word[-1]}{end}"]
    for a, b in merges:
        i = 0
        while i + 1 < len(pieces):
            if (pieces[i], pieces[i + 1]) == (a, b):
                pieces[i : i + 2] = [a + b]
            i += 1
    return pieces


def pipeline(parts: dict[str, Any], schedule: Any | None = None) -> StableDiffusionXLPipeline:
    """Assemble a StableDiffusionXLPipeline without watermark.

    Args:
        parts: Components by name, without scheduler.
        schedule: Another scheduler; default: `scheduler()`.
    """
    return StableDiffusionXLPipeline(scheduler=schedule or scheduler(), add_watermarker=False, **parts)
