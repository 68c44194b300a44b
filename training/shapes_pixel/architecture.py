"""Parts of the bundled model `shapes-pixel`: diffusers' and transformers' own classes, arranged as IF's stage I.

It generates pixels without an autoencoder. Each attention's queries are image tokens alone, and its keys are text and
image tokens (added keys). The text encoder is a T5 encoder, trained with the UNet.
"""

import string
from typing import Any

from diffusers import DPMSolverMultistepScheduler, IFPipeline, UNet2DConditionModel
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from skewbench.eval.scenes.captions import WORDS
from skewbench.eval.scenes.vocabulary import SIZE

CHANNELS = 3
TOKENS = 77
"""Length of a prompt, padded: `IFPipeline.encode_prompt` fixes it."""
TEXT_WIDTH = 64
CROSS_WIDTH = 96
_WORD_SCORE, _LETTER_SCORE = -1.0, -10.0
"""Unigram log probabilities: a word of the grammar is one token, any other word falls into letters."""


def tokenizer() -> T5Tokenizer:
    """Build a T5 tokenizer in which each word of the grammar is one token."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    letters = [
        (letter, _LETTER_SCORE) for letter in (*string.ascii_lowercase, *string.digits, *string.punctuation, "▁")
    ]
    words = [(f"▁{word}", _WORD_SCORE) for word in WORDS if len(word) > 1] + [("▁a", _WORD_SCORE)]
    return T5Tokenizer(vocab=[*special, *letters, *words], extra_ids=0, model_max_length=TOKENS)


def text_encoder(words: T5Tokenizer) -> T5EncoderModel:
    """Build a T5 encoder of two layers.

    Args:
        words: The tokenizer.
    """
    return T5EncoderModel(
        T5Config(
            vocab_size=len(words),
            d_model=TEXT_WIDTH,
            d_kv=TEXT_WIDTH // 4,
            d_ff=4 * TEXT_WIDTH,
            num_layers=2,
            num_heads=4,
            relative_attention_num_buckets=16,
            relative_attention_max_distance=32,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            pad_token_id=words.pad_token_id,
            eos_token_id=words.eos_token_id,
        )
    )


def denoiser() -> UNet2DConditionModel:
    """Build the UNet: no attention at 64 x 64 and 32 x 32 pixels, added-key attention at 16 x 16 and 8 x 8.

    It has 6 output channels because `IFPipeline` splits off three as the variance. The scheduler ignores these, so
    they are not trained.
    """
    return UNet2DConditionModel(
        sample_size=SIZE,
        in_channels=CHANNELS,
        out_channels=2 * CHANNELS,
        down_block_types=(
            "ResnetDownsampleBlock2D",
            "ResnetDownsampleBlock2D",
            "SimpleCrossAttnDownBlock2D",
            "SimpleCrossAttnDownBlock2D",
        ),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=(
            "SimpleCrossAttnUpBlock2D",
            "SimpleCrossAttnUpBlock2D",
            "ResnetUpsampleBlock2D",
            "ResnetUpsampleBlock2D",
        ),
        block_out_channels=(16, 16, 48, 80),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=16,
        cross_attention_dim=CROSS_WIDTH,
        cross_attention_norm="group_norm",
        encoder_hid_dim=TEXT_WIDTH,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
    )


def scheduler() -> DPMSolverMultistepScheduler:
    """Build a deterministic solver for 20 steps on IF's cosine schedule, with IF's dynamic thresholding.

    IF's own ancestral sampler needs more steps and draws noise at each. The schedule ends in almost pure noise, hence
    the model predicts velocity.
    """
    return DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.0,
    )


def pipeline(parts: dict[str, Any]) -> IFPipeline:
    """Assemble an IFPipeline without watermark and safety checker.

    Args:
        parts: Components by name, without scheduler: `unet`, `text_encoder` and `tokenizer`.
    """
    absent = {"safety_checker": None, "feature_extractor": None, "watermarker": None}
    return IFPipeline(scheduler=scheduler(), requires_safety_checker=False, **absent, **parts)
