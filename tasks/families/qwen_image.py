"""Qwen-Image: joint attention on latents, flow matching, one call for each branch of guidance."""

from typing import Any, ClassVar

from skewbench.tasks.families.contract import Config, Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage
from skewbench.tasks.size import Size

PIXELS = 1024
"""The model's configuration does not say what size it was trained for; this is the pipeline's default."""


@register
class QwenImage(TextToImage):
    """QwenImagePipeline. A step calls the transformer for `cond`, then for `uncond`, unless guidance is 1 or less.

    Text tokens come first, then image tokens. Texts of a batch are padded; the padding is masked.
    """

    name = "qwen-image"
    pipelines = ("QwenImagePipeline",)
    example = "Qwen/Qwen-Image"
    denoiser = "transformer"
    branches = ("cond", "uncond")
    calls: ClassVar = ("cond", "uncond")
    joint = True
    restores_norms = True
    maps = False
    parts = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
    settings = ("negative_prompt", "lora")
    encoding = PromptEncoding(masked=True)
    encoders: ClassVar = (Encoder("tokenizer", 512),)
    gives_sigmas = True

    def native_size(self, config: Config) -> Size:
        """Return the pipeline's default size."""
        return Size(PIXELS, PIXELS)

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments. Guidance has a negative prompt, or the pipeline ignores it."""
        given = super().arguments(request)
        scale = given.pop("guidance_scale")
        if scale <= 1:
            return {**given, "true_cfg_scale": 1.0}
        # one space, as the model's authors use it: the tokenizer's template needs a text
        return {"negative_prompt": " ", **given, "true_cfg_scale": scale}
