"""A tiny CLAP with random weights: the real classes."""

import string
from pathlib import Path
from typing import Any

import torch
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    RobertaTokenizer,
)

CLAP_WIDTH = 16


def clap_tokenizer() -> RobertaTokenizer:
    """A tokenizer of letters."""
    pieces = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}",
        *string.printable[:94],
    ]
    return RobertaTokenizer(vocab={piece: n for n, piece in enumerate(pieces)}, merges=[], model_max_length=77)


def clap_text(tokenizer: RobertaTokenizer) -> dict[str, Any]:
    """Configuration of the text encoder."""
    return {
        "vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "projection_dim": CLAP_WIDTH, "max_position_embeddings": 80,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip


def clap(tokenizer: RobertaTokenizer) -> tuple[ClapModel, ClapFeatureExtractor]:
    """A CLAP, and what makes its spectrograms."""
    audio = ClapAudioConfig(
        spec_size=64, window_size=4, num_mel_bins=16, patch_size=4, patch_stride=(4, 4), patch_embeds_hidden_size=16,
        hidden_size=32, depths=[1, 1], num_attention_heads=[2, 2], projection_dim=CLAP_WIDTH, num_classes=2,
        enable_fusion=False, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, drop_path_rate=0.0,
        patch_embed_input_channels=1, aff_block_r=1, num_hidden_layers=2,
    )  # fmt: skip
    model = ClapModel(ClapConfig(text_config=clap_text(tokenizer), audio_config=audio.to_dict(), projection_dim=16))
    extractor = ClapFeatureExtractor(feature_size=16, sampling_rate=48000, hop_length=480, max_length_s=1)
    return model.eval(), extractor


def save_clap(folder: Path) -> Path:
    """Save it in a folder as its authors', with a pickle of tensors."""
    torch.manual_seed(0)
    tokenizer = clap_tokenizer()
    model, extractor = clap(tokenizer)
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    tokenizer.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
