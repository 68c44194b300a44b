"""A tiny Sana with random weights: the real classes, saved in the hub's layout."""

import string
from pathlib import Path

import torch
from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel
from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer


def save_tiny_sana(folder: Path) -> Path:
    """Save the model."""
    torch.manual_seed(0)
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "\N{LOWER ONE EIGHTH BLOCK}", *string.ascii_letters, ".", ",", "-"]
    tokenizer = GemmaTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=300, add_bos_token=True
    )
    gemma = Gemma2Config(
        vocab_size=len(pieces), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    transformer = SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=3,
        num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=16,
        sample_size=16,
    )  # fmt: skip
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        upsample_block_type="interpolate",
        downsample_block_type="conv",
    )
    whole = SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=Gemma2Model(gemma).eval(),
        vae=vae.eval(),
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, solver_order=2
        ),
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder
