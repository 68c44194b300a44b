"""Lumina Image 2.0: one stream of text and image tokens, flow matching, one call for each branch of guidance."""

from typing import Any, ClassVar

from skewbench.tasks.families.contract import Config, Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage, sample_size
from skewbench.tasks.size import Size

SYSTEM = (
    "You are an assistant designed to generate superior images with the superior degree of image-text alignment "
    "based on textual prompts or user prompts."
)
"""The pipeline's system prompt."""


@register
class Lumina2(TextToImage):
    """Lumina2Pipeline. A step calls the transformer for `cond`, then for `uncond`, unless guidance is 1 or less.

    A row holds the text tokens, then the image tokens, then padding. The prompt has the pipeline's own system prompt
    before it.
    """

    name = "lumina2"
    pipelines = ("Lumina2Pipeline",)
    example = "Alpha-VLLM/Lumina-Image-2.0"
    denoiser = "transformer"
    branches = ("cond", "uncond")
    calls: ClassVar = ("cond", "uncond")
    joint = True
    restores_norms = True
    parts = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
    settings = ("negative_prompt", "lora")
    encoding = PromptEncoding()
    encoders: ClassVar = (Encoder("tokenizer", 256, before=f"{SYSTEM} <Prompt Start> "),)
    gives_sigmas = True

    def native_size(self, config: Config) -> Size:
        """Return the pipeline's default size: latents of the transformer's sample size, 8 pixels each."""
        return sample_size(config, "transformer", 8)

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments, with guidance in every step, as the model's authors use it."""
        return {**super().arguments(request), "cfg_trunc_ratio": 1.0}
