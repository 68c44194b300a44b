"""Stable Diffusion 1.x and 2.x: a UNet on latents, one text encoder, guidance as rows of one batch."""

from typing import ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage


@register
class StableDiffusion(TextToImage):
    """StableDiffusionPipeline: 1.5, 2.1 and other checkpoints of their layout.

    Guidance runs the UNet once a step on rows [uncond; cond]. The self-attentions are numbered down, mid, up. The
    safety checker is left out: it replaces images by black ones.
    """

    name = "sd"
    pipelines = ("StableDiffusionPipeline",)
    example = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    denoiser = "unet"
    branches = ("uncond", "cond")
    parts = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    settings = ("negative_prompt", "guidance_rescale", "lora")  # its clip_skip fails with transformers 5
    encoding = PromptEncoding()
    single_file = True
    encoders: ClassVar = (Encoder("tokenizer"),)
    loading: ClassVar = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
