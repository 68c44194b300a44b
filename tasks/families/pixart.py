"""PixArt-alpha and PixArt-Sigma: a transformer on latents with cross-attention to T5, guidance as rows of one batch."""

from typing import Any, ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage


class _PixArt(TextToImage):
    denoiser = "transformer"
    branches = ("uncond", "cond")
    parts = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
    settings = ("negative_prompt",)
    encoding = PromptEncoding()

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments, without resolution binning and without cleaning of captions."""
        return {**super().arguments(request), "use_resolution_binning": False, "clean_caption": False}


@register
class PixArtAlpha(_PixArt):
    """PixArtAlphaPipeline. Guidance runs the transformer once a step on rows [uncond; cond]."""

    name = "pixart-alpha"
    pipelines = ("PixArtAlphaPipeline",)
    example = "PixArt-alpha/PixArt-XL-2-1024-MS"
    encoders: ClassVar = (Encoder("tokenizer", 120, lower=True),)


@register
class PixArtSigma(_PixArt):
    """PixArtSigmaPipeline. Guidance runs the transformer once a step on rows [uncond; cond]."""

    name = "pixart-sigma"
    pipelines = ("PixArtSigmaPipeline",)
    example = "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS"
    encoders: ClassVar = (Encoder("tokenizer", 300, lower=True),)
