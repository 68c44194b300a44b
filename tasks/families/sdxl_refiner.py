"""SDXL's refiner: a UNet that does the last part of denoising. It is a cell's second stage, and no model by itself."""

from skewbench.tasks.families.contract import PromptEncoding
from skewbench.tasks.families.text_to_image import TextToImage


class SdxlRefiner(TextToImage):
    """StableDiffusionXLImg2ImgPipeline without the first text encoder. No knob acts on it, and it is not measured."""

    name = "sdxl-refiner"
    pipelines = ("StableDiffusionXLImg2ImgPipeline",)
    example = "stabilityai/stable-diffusion-xl-refiner-1.0"
    denoiser = "unet"
    branches = ("uncond", "cond")
    parts = ("unet", "vae", "text_encoder_2", "tokenizer_2", "scheduler")
    encoding = PromptEncoding()
    loading = {"add_watermarker": False}  # noqa: RUF012
