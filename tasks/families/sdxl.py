"""Stable Diffusion XL: a UNet on latents, two CLIP text encoders, guidance as rows of one batch."""

from typing import ClassVar

from skewbench.tasks.families.contract import Encoder
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage


@register
class Sdxl(TextToImage):
    """StableDiffusionXLPipeline: SDXL base, Turbo and other checkpoints of its layout.

    Guidance runs the UNet once a step on rows [uncond; cond]. The self-attentions are numbered as in the paper: down,
    mid, up.
    """

    name = "sdxl"
    pipelines = ("StableDiffusionXLPipeline",)
    example = "stabilityai/stable-diffusion-xl-base-1.0"
    denoiser = "unet"
    branches = ("uncond", "cond")
    parts = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
    settings = ("negative_prompt", "guidance_rescale", "clip_skip", "lora")
    encodes_alone = True
    encoders: ClassVar = (Encoder("tokenizer"), Encoder("tokenizer_2"))
    loading: ClassVar = {"add_watermarker": False}  # a watermark would change pixels
