"""Tiny models with random weights of the families of audio and video: the real classes, saved in the hub's layout."""

from pathlib import Path

import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AudioLDMPipeline,
    AutoencoderKL,
    AutoencoderKLWan,
    DDIMScheduler,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from transformers import (
    ClapTextConfig,
    ClapTextModelWithProjection,
    GPT2Config,
    GPT2LMHeadModel,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.tiny_clap import CLAP_WIDTH, clap, clap_text, clap_tokenizer
from tests.tiny_families import T5_WIDTH, letters, t5

RATE = 16000


def _vocoder() -> SpeechT5HifiGan:
    config = SpeechT5HifiGanConfig(
        model_in_dim=16, sampling_rate=RATE, upsample_initial_channel=16, upsample_rates=[4, 4],
        upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]],
        normalize_before=False, initializer_range=0.3,
    )  # fmt: skip
    return SpeechT5HifiGan(config).eval()


def _mel_autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=4, norm_num_groups=4, block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip


def save_tiny_audioldm(folder: Path) -> Path:
    """Save a tiny AudioLDM: text enters as a class embedding, so that all attentions are self-attentions."""
    torch.manual_seed(0)
    tokenizer = clap_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
        attention_head_dim=2,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=CLAP_WIDTH,
        class_embeddings_concat=True,
        norm_num_groups=4,
    )
    whole = AudioLDMPipeline(
        vae=_mel_autoencoder(),
        text_encoder=ClapTextModelWithProjection(ClapTextConfig(**clap_text(tokenizer))).eval(),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False),
        vocoder=_vocoder(),
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_audioldm2(folder: Path) -> Path:
    """Save a tiny AudioLDM2: CLAP and T5, a GPT-2 that continues them, and a UNet that reads both."""
    torch.manual_seed(0)
    tokenizer = clap_tokenizer()
    model, extractor = clap(tokenizer)
    encoder, t5_tokenizer = t5()
    language = GPT2LMHeadModel(
        GPT2Config(
            n_embd=16, n_layer=1, n_head=2, vocab_size=10, n_positions=128, bos_token_id=0, eos_token_id=0,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )
    ).eval()  # fmt: skip
    language.config.max_new_tokens = 4
    unet = AudioLDM2UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=((None, 16, T5_WIDTH), (None, 16, T5_WIDTH)),
        attention_head_dim=2,
        norm_num_groups=4,
    )
    whole = AudioLDM2Pipeline(
        vae=_mel_autoencoder(),
        text_encoder=model,
        text_encoder_2=encoder,
        projection_model=AudioLDM2ProjectionModel(CLAP_WIDTH, T5_WIDTH, 16),
        language_model=language,
        tokenizer=tokenizer,
        tokenizer_2=t5_tokenizer,
        feature_extractor=extractor,
        unet=unet,
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False),
        vocoder=_vocoder(),
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_wan(folder: Path) -> Path:
    """Save a tiny Wan 2.1, text to video."""
    torch.manual_seed(0)
    tokenizer: T5Tokenizer = letters()
    umt5 = UMT5Config(
        vocab_size=len(tokenizer), d_model=T5_WIDTH, d_kv=8, d_ff=16, num_layers=1, num_heads=2, dropout_rate=0.0
    )
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=4,
        text_dim=T5_WIDTH,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    )
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    whole = WanPipeline(
        tokenizer=tokenizer,
        text_encoder=UMT5EncoderModel(umt5).eval(),
        vae=vae.eval(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
        ),
        transformer=transformer,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder
