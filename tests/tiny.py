"""A tiny SDXL with random weights: the real classes in SDXL's arrangement of levels, saved in the hub's layout."""

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    UNet2DConditionModel,
)

from skewbench.training.shapes_xl.architecture import TEXT_WIDTH, pipeline, text_encoders, write_tokenizer

SIZE = 32


def save_tiny_sdxl(folder: Path, seed: int = 0) -> Path:
    """Save the model; the same seed gives the same weights."""
    torch.manual_seed(seed)
    tokenizer = write_tokenizer(folder / "words")
    first, second = text_encoders(tokenizer)
    unet = UNet2DConditionModel(
        sample_size=SIZE // 2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(1, 2, 4),
        cross_attention_dim=2 * TEXT_WIDTH,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * 8,
        norm_num_groups=4,
    )
    vae = autoencoder()
    parts = {"vae": vae, "unet": unet, "text_encoder": first, "text_encoder_2": second}
    schedule = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    whole = pipeline({**parts, "tokenizer": tokenizer, "tokenizer_2": tokenizer}, schedule)
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_refiner(folder: Path, down: int = 1) -> Path:
    """Save a tiny refiner for the tiny SDXL: the second text encoder, and a score of aesthetics among the conditions.

    `down`: the autoencoder's levels; the tiny SDXL's has 1.
    """
    torch.manual_seed(1)
    tokenizer = write_tokenizer(folder / "words")
    unet = UNet2DConditionModel(
        sample_size=SIZE // 2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=TEXT_WIDTH,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 5 * 8,
        norm_num_groups=4,
    )
    whole = StableDiffusionXLImg2ImgPipeline(
        vae=autoencoder(down),
        text_encoder=None,
        text_encoder_2=text_encoders(tokenizer)[1],
        tokenizer=None,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
        requires_aesthetics_score=True,
        add_watermarker=False,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def autoencoder(down: int = 1) -> AutoencoderKL:
    """A tiny autoencoder, 2^down x down."""
    return AutoencoderKL(
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * (down + 1),
        up_block_types=("UpDecoderBlock2D",) * (down + 1),
        block_out_channels=(8, *[16] * down),
        norm_num_groups=4,
        sample_size=SIZE,
    )


def save_tiny_sd(folder: Path, seed: int = 0, distilled: bool = False) -> Path:
    """Save a tiny Stable Diffusion 1.x with random weights: one text encoder, no added conditions.

    `distilled`: as a latent consistency model, with guidance as an input of the UNet.
    """
    torch.manual_seed(seed)
    tokenizer = write_tokenizer(folder / "words")
    encoder, _ = text_encoders(tokenizer)
    unet = UNet2DConditionModel(
        sample_size=SIZE // 2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=4,
        time_cond_proj_dim=8 if distilled else None,
    )
    vae = autoencoder()
    kind, scheduler = (
        (LatentConsistencyModelPipeline, LCMScheduler)
        if distilled
        else (StableDiffusionPipeline, EulerDiscreteScheduler)
    )
    schedule = scheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1)
    whole = kind(
        vae=vae,
        unet=unet,
        text_encoder=encoder,
        tokenizer=tokenizer,
        scheduler=schedule,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_sd3(folder: Path, seed: int = 0) -> Path:
    """Save a tiny Stable Diffusion 3 with random weights: joint attention, two text encoders, no T5."""
    torch.manual_seed(seed)
    tokenizer = write_tokenizer(folder / "words")
    _, second = text_encoders(tokenizer)
    transformer = SD3Transformer2DModel(
        sample_size=SIZE // 2,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=3,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_projection_dim=16,
        joint_attention_dim=2 * TEXT_WIDTH,
        pooled_projection_dim=2 * TEXT_WIDTH,
        pos_embed_max_size=SIZE // 2,
        qk_norm="rms_norm",
    )
    vae = autoencoder()
    vae.register_to_config(shift_factor=0.0)
    encoders = {"text_encoder": second, "text_encoder_2": second, "text_encoder_3": None}
    tokenizers = {"tokenizer": tokenizer, "tokenizer_2": tokenizer, "tokenizer_3": None}
    schedule = FlowMatchEulerDiscreteScheduler(shift=3.0)
    whole = StableDiffusion3Pipeline(vae=vae, transformer=transformer, scheduler=schedule, **encoders, **tokenizers)
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_refiner_layout(folder: Path) -> Path:
    """Write the layout of a folder of SDXL's refiner: configurations, and no weights."""
    parts = {
        "unet": {"_class_name": "UNet2DConditionModel", "sample_size": 8, "block_out_channels": [32, 64]},
        "vae": {"_class_name": "AutoencoderKL", "block_out_channels": [32, 64]},
    }
    for part, config in parts.items():
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text(json.dumps(config))
    classes = {part: ["diffusers", config["_class_name"]] for part, config in parts.items()}
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionXLImg2ImgPipeline", **classes}))
    return folder
