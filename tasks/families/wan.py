"""Wan 2.1, text to video: self-attention over the tokens of all frames, flow matching, one call for each branch."""

from collections.abc import Mapping
from typing import Any, ClassVar

from skewbench.tasks.families.contract import Config, Encoder, PromptEncoding, Request
from skewbench.tasks.families.pipeline import PipelineFamily
from skewbench.tasks.families.registry import register
from skewbench.tasks.size import Size

WIDTH, HEIGHT, FRAMES, FPS = 832, 480, 81, 16.0
"""The model's configuration does not say what it was trained for; these are its authors' defaults."""


@register
class Wan(PipelineFamily):
    """WanPipeline. A step calls the transformer for `cond`, then for `uncond`, unless guidance is 1.

    The tokens of a self-attention are those of all frames: (frames - 1) / 4 + 1 of the autoencoder's, times width and
    height in latents, over the patch. The self-attentions are numbered by depth.
    """

    name = "wan"
    pipelines = ("WanPipeline",)
    example = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
    denoiser = "transformer"
    branches = ("cond", "uncond")
    calls: ClassVar = ("cond", "uncond")
    maps = False
    parts = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
    settings = ("negative_prompt", "lora")
    encoding = PromptEncoding()
    encoders: ClassVar = (Encoder("tokenizer", 512),)
    medium = "video"
    output = "frames"

    def fault(self, index: Mapping[str, Any]) -> str | None:
        """Wan 2.2 has a second transformer, which would be neither perturbed nor measured."""
        if index.get("boundary_ratio") is not None or any(index.get("transformer_2") or ()):
            return "it has a second transformer (Wan 2.2), and skewbench runs Wan 2.1"
        return None

    def size_arguments(self, request: Request) -> dict[str, Any]:
        """Return width, height and frames."""
        size = request.size
        return {"width": size.width, "height": size.height, "num_frames": size.frames}

    def native_size(self, config: Config) -> Size:
        """Return the pipeline's default size."""
        return Size(WIDTH, HEIGHT, FRAMES, fps=FPS)

    def size_fault(self, config: Config, size: Size) -> str | None:
        """The pipeline would round other sizes, or refuse them."""
        vae, patch = config("vae"), config("transformer")["patch_size"]
        pixels, frames = vae.get("scale_factor_spatial", 8) * patch[1], vae.get("scale_factor_temporal", 4)
        for name, value in (("width", size.width), ("height", size.height)):
            if value is not None and value % pixels:
                return f"{name} is {value}; a multiple of {pixels} is needed"
        if size.frames is not None and size.frames % frames != 1:
            return f"frames is {size.frames}; a multiple of {frames} plus 1 is needed"
        return None
