"""Stable Diffusion XL: a UNet on latents, two CLIP text encoders, guidance as rows of one batch."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.tasks.families.contract import Config, Family, Request
from skewbench.tasks.families.registry import register

if TYPE_CHECKING:
    import numpy as np
    import torch

    from skewbench.stability import Block


@register
class Sdxl(Family):
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

    def blocks(self, config: Config) -> "list[Block]":
        """List the UNet's self-attentions; the UNet is built without memory for its weights."""
        import torch
        from diffusers import UNet2DConditionModel

        from skewbench.stability import self_attention_blocks

        with torch.device("meta"):
            return self_attention_blocks(UNet2DConditionModel.from_config(dict(config("unet"))))

    def native_size(self, config: Config) -> tuple[int, int]:
        """Return the size of the UNet's latents times the autoencoder's factor."""
        pixels = config("unet")["sample_size"] * 2 ** (len(config("vae")["block_out_channels"]) - 1)
        return pixels, pixels

    def load(self, folder: Path, dtype: "torch.dtype", variant: str | None) -> Any:
        """Load without a watermark, which would change pixels."""
        from diffusers import StableDiffusionXLPipeline

        return StableDiffusionXLPipeline.from_pretrained(
            str(folder),
            dtype=dtype,
            variant=variant,
            use_safetensors=True,
            add_watermarker=False,
            local_files_only=True,
        )

    def model_calls(self, pipeline: Any, steps: int) -> int:
        """Count the scheduler's timesteps: more than steps where a step is of second order, as Heun's."""
        pipeline.scheduler.set_timesteps(steps)
        return len(pipeline.scheduler.timesteps)

    def generate(self, pipeline: Any, request: Request) -> "np.ndarray":
        """Call the pipeline once for the whole request."""
        import torch

        images: np.ndarray = pipeline(
            list(request.prompts),
            generator=[torch.Generator().manual_seed(seed) for seed in request.noise_seeds],
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            width=request.size[0],
            height=request.size[1],
            output_type="np",
        ).images
        return images

    def replay_imports(self) -> str:
        """Write the import of the pipeline's class."""
        return "from diffusers import StableDiffusionXLPipeline"

    def replay_load(self, model: str, options: Mapping[str, str]) -> str:
        """Write the pipeline's `from_pretrained`."""
        given = "".join(f", {name}={value}" for name, value in options.items())
        return (
            "StableDiffusionXLPipeline.from_pretrained(\n"
            f"    {model!r}{given}, use_safetensors=True, add_watermarker=False\n)"
        )

    def replay_call(self, request: Request) -> str:
        """Write the pipeline's call."""
        (prompt,), (noise_seed,) = request.prompts, request.noise_seeds
        width, height = request.size
        return (
            "pipeline(\n"
            f"        {prompt!r},\n"
            f"        generator=torch.Generator().manual_seed({noise_seed}),\n"
            f"        num_inference_steps={request.steps}, guidance_scale={request.guidance}, "
            f"width={width}, height={height},\n"
            "    ).images[0]"
        )
