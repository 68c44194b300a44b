"""HunyuanDiT: a transformer on latents with cross-attention to BERT and T5, guidance as rows of one batch."""

from typing import Any, ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage


@register
class HunyuanDit(TextToImage):
    """HunyuanDiTPipeline. Guidance runs the transformer once a step on rows [uncond; cond].

    The safety checker is left out: it replaces images by black ones.
    """

    name = "hunyuan-dit"
    pipelines = ("HunyuanDiTPipeline",)
    example = "Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers"
    denoiser = "transformer"
    branches = ("uncond", "cond")
    parts = ("transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
    settings = ("negative_prompt", "guidance_rescale")
    encoding = PromptEncoding()
    encoders: ClassVar = (Encoder("tokenizer", 77), Encoder("tokenizer_2", 256))
    loading: ClassVar = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments, without resolution binning."""
        return {**super().arguments(request), "use_resolution_binning": False}
