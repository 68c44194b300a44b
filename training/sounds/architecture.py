"""Parts of the bundled model `sounds`: diffusers' and transformers' own classes in AudioLDM's arrangement, small.

A caption enters as one vector, CLAP's text embedding, which is a class embedding of the UNet. No attention reads text,
so both attentions of each transformer block are self-attentions. The scheduler predicts velocity on a schedule that
ends in pure noise, as that of `shapes-xl` does.
"""

from typing import Any

from diffusers import AudioLDMPipeline, AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import ClapTextConfig, ClapTextModelWithProjection, RobertaTokenizer, SpeechT5HifiGan
from transformers import SpeechT5HifiGanConfig as HifiGanConfig

from skewbench.eval.sounds.captions import WORDS
from skewbench.eval.sounds.vocabulary import RATE
from skewbench.training.shapes_xl.architecture import LATENT_CHANNELS, bpe_merges
from skewbench.training.shapes_xl.architecture import autoencoder as shapes_xl_autoencoder
from skewbench.training.shapes_xl.architecture import scheduler as shapes_xl_scheduler
from skewbench.training.sounds.mel import BANDS, FRAMES

TEXT_WIDTH = 96
TOKENS = 40
"""Longest caption of the grammar, in tokens, with room to spare."""
SPACE = "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}"
"""A space before a word, as RoBERTa's tokenizer spells it."""
_LEVELS = (64, 96)


def autoencoder() -> AutoencoderKL:
    """Build the autoencoder of spectrograms: that of `shapes-xl` with one channel, for 64 frames x 64 bands."""
    return shapes_xl_autoencoder(channels=1)


def vocoder() -> SpeechT5HifiGan:
    """Build the vocoder: a frame of 64 bands -> `HOP` samples."""
    config = HifiGanConfig(
        model_in_dim=BANDS,
        sampling_rate=RATE,
        upsample_initial_channel=128,
        upsample_rates=[8, 4, 4],  # the product is HOP
        upsample_kernel_sizes=[16, 8, 8],
        resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3], [1, 3]],
        normalize_before=False,
    )
    return SpeechT5HifiGan(config)


def denoiser() -> UNet2DConditionModel:
    """Build the UNet: two levels, two self-attentions in each transformer block (256 and 64 tokens)."""
    return UNet2DConditionModel(
        sample_size=FRAMES // 4,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=_LEVELS,
        layers_per_block=1,
        attention_head_dim=(4, 6),  # SDXL's misnomer: the number of heads
        cross_attention_dim=_LEVELS,  # of each level itself, as in AudioLDM
        use_linear_projection=True,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=TEXT_WIDTH,
        class_embeddings_concat=True,
        norm_num_groups=16,
    )


def tokenizer() -> RobertaTokenizer:
    """Build a RoBERTa tokenizer in which each word of the grammar is one token; other words fall into letters."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(i) for i in range(33, 127)]
    words = [f"{SPACE}{word}" for word in WORDS]
    merges = bpe_merges(words, end="")
    pieces = [*special, SPACE, *letters, *(a + b for a, b in merges)]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    return RobertaTokenizer(vocab=vocabulary, merges=merges, add_prefix_space=True, model_max_length=TOKENS)


def text_encoder(words: RobertaTokenizer) -> ClapTextModelWithProjection:
    """Build CLAP's text encoder of three layers.

    Args:
        words: The tokenizer.
    """
    config = ClapTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=6,
        max_position_embeddings=TOKENS + 2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    return ClapTextModelWithProjection(config)


def scheduler() -> EulerDiscreteScheduler:
    """Build the sampler: that of `shapes-xl`."""
    return shapes_xl_scheduler()


def pipeline(parts: dict[str, Any]) -> AudioLDMPipeline:
    """Assemble an AudioLDMPipeline.

    Args:
        parts: Components by name, without scheduler.
    """
    return AudioLDMPipeline(scheduler=scheduler(), **parts)
