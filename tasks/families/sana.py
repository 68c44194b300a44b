"""Sana: a transformer with linear attention on latents of 32 x 32 pixels, flow matching, guidance as rows."""

from typing import Any, ClassVar

from skewbench.tasks.families.contract import Config, Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage, sample_size
from skewbench.tasks.size import Size

SIDE = 32
"""The pipeline takes multiples of it."""


@register
class Sana(TextToImage):
    """SanaPipeline. Guidance runs the transformer once a step on rows [uncond; cond].

    Its self-attentions are linear: they are measured, and take no knob. Rules of guidance and knobs on the condition
    act as in other models. The prompt has the pipeline's own instruction before it.
    """

    name = "sana"
    pipelines = ("SanaPipeline",)
    example = "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers"
    denoiser = "transformer"
    branches = ("uncond", "cond")
    parts = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
    settings = ("negative_prompt", "lora")
    encoding = PromptEncoding()
    encoders: ClassVar = (Encoder("tokenizer", 299, lower=True),)  # one less than the pipeline's 300 after a prefix

    def native_size(self, config: Config) -> Size:
        """Return the size of the transformer's latents times the autoencoder's factor."""
        return sample_size(config, "transformer", 2 ** (len(config("vae")["encoder_block_out_channels"]) - 1))

    def size_fault(self, config: Config, size: Size) -> str | None:
        """The pipeline refuses other sizes."""
        for name, value in size.chosen.items():
            if value % SIDE:
                return f"{name} is {value}; a multiple of {SIDE} is needed"
        return None

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments, without resolution binning."""
        return {**super().arguments(request), "use_resolution_binning": False}
