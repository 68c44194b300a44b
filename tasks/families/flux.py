"""FLUX.1: joint attention on latents, flow matching, guidance distilled into the model."""

from typing import Any, ClassVar

from skewbench.tasks.families.contract import Config, Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage
from skewbench.tasks.size import Size

LATENT_PIXELS = 1024
"""The model's configuration does not say what size it was trained for; this is the pipeline's default."""


@register
class Flux(TextToImage):
    """FluxPipeline: FLUX.1-dev and models like it, and FLUX.1-schnell, which has no guidance.

    The transformer is called once a step: `guidance` is an input of it. There is one branch, `cond`. Text tokens come
    first, then image tokens, in the double blocks and in the single ones. The self-attentions are numbered by depth.
    """

    name = "flux"
    pipelines = ("FluxPipeline",)
    example = "black-forest-labs/FLUX.1-dev"
    denoiser = "transformer"
    branches = ("cond",)
    calls: ClassVar = ("cond",)
    joint = True
    maps = False
    parts = ("transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
    settings = ("lora",)
    encoding = PromptEncoding()
    encoders: ClassVar = (Encoder("tokenizer"), Encoder("tokenizer_2", 256))
    gives_sigmas = True

    def native_size(self, config: Config) -> Size:
        """Return the pipeline's default size."""
        return Size(LATENT_PIXELS, LATENT_PIXELS)

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments, with 256 text tokens, the limit of FLUX.1-schnell, for all FLUX models."""
        return {**super().arguments(request), "max_sequence_length": 256}
