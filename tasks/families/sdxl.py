"""Stable Diffusion XL: a UNet on latents, two CLIP text encoders, guidance as rows of one batch."""

from dataclasses import replace
from typing import Any, ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding, Request
from skewbench.tasks.families.pipeline import generators
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage
from skewbench.tasks.schedulers import calls_until
from skewbench.tasks.size import Size


@register
class Sdxl(TextToImage):
    """StableDiffusionXLPipeline: SDXL base, Turbo and other checkpoints of its layout.

    Guidance runs the UNet once a step on rows [uncond; cond]. The self-attentions are numbered as in the paper: down,
    mid, up. A refiner may do the last part of denoising; its blocks are left alone.
    """

    name = "sdxl"
    pipelines = ("StableDiffusionXLPipeline",)
    example = "stabilityai/stable-diffusion-xl-base-1.0"
    denoiser = "unet"
    branches = ("uncond", "cond")
    parts = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
    settings = ("negative_prompt", "guidance_rescale", "clip_skip", "lora", "refiner")
    encoding = PromptEncoding()
    single_file = True
    encoders: ClassVar = (Encoder("tokenizer"), Encoder("tokenizer_2"))
    loading: ClassVar = {"add_watermarker": False}  # a watermark would change pixels

    def model_calls(self, pipeline: Any, request: Request) -> int:
        """Count the calls up to the refiner's part."""
        calls = super().model_calls(pipeline, request)
        return calls if request.refine_at is None else calls_until(pipeline.scheduler, request.refine_at)

    def generate(self, pipeline: Any, request: Request) -> Any:
        """Generate, by two pipelines where there is a refiner: one draws from the generators after the other."""
        if request.refine_at is None:
            return super().generate(pipeline, request)
        noise, at = generators(request), request.refine_at
        latents = self.called(pipeline, request, noise, output_type="latent", denoising_end=at)
        given = {"image": latents, "denoising_start": at, "output_type": "np"}
        return self.called(pipeline.refiner, _of_refiner(request), noise, **given)

    def replay_call(self, request: Request) -> str:
        """Write the pipeline's call, within the refiner's where there is one."""
        if request.refine_at is None:
            return super().replay_call(request)
        (prompt,), (noise_seed,), at = request.prompts, request.noise_seeds, request.refine_at
        own, second = (_source(self.arguments(one)) for one in (request, _of_refiner(request)))
        return (
            "refiner(\n"
            f"        {prompt!r},\n"
            "        image=pipeline(\n"
            f"            {prompt!r},\n"
            f"            generator=(noise := torch.Generator().manual_seed({noise_seed})),\n"
            f"            {own},\n"
            f"            denoising_end={at!r},\n"
            "            output_type='latent',\n"
            "        ).images,\n"
            "        generator=noise,\n"
            f"        {second},\n"
            f"        denoising_start={at!r},\n"
            "    ).images[0]"
        )


def _of_refiner(request: Request) -> Request:
    """The refiner's request: the size is that of the latents."""
    return replace(request, size=Size())


def _source(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
