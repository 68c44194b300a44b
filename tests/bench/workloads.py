"""The models that benchmarks run: the bundled pipeline, and SDXL's UNet at full size with seeded random weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, UNet2DConditionModel

from tests.bench.states import State, work
from tests.stability.models import sdxl

CAPTION = "a large red striped circle to the left of a small blue square on a white background"
GUIDANCE = 5.0


@dataclass(frozen=True)
class Workload:
    """A call that generates `images` images with `unet`."""

    name: str
    images: int
    unet: Any
    generate: Callable[[], Any]
    meta_call: Callable[[UNet2DConditionModel], Any]

    def side(self, state: State) -> Callable[[], Any]:
        """One call in this state; measured to the end, with the copy from the device."""

        def measured() -> None:
            recorder = state.recorder()
            with state.on(self.unet, self.images, recorder), torch.no_grad():
                self.generate()
            if recorder is not None:
                recorder.to_arrow()

        return measured

    def flops(self, state: State) -> int:
        """Of one call of the UNet; counted on the meta device, where nothing is computed for it."""
        with state.on(self._on_meta, self.images, state.recorder()):
            return work(lambda: self.meta_call(self._on_meta))

    @cached_property
    def _on_meta(self) -> UNet2DConditionModel:
        with torch.device("meta"):
            return UNet2DConditionModel.from_config(self.unet.config).eval()


def bundled(images: int, steps: int, folder: Path | None = None) -> Workload:
    """The bundled model's pipeline, float32 on the CPU, at guidance 5. `folder`: another model's."""
    pipeline = load(folder)
    side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor

    def generate(pipe: Any = pipeline, **options: Any) -> Any:
        noise = [torch.Generator().manual_seed(seed) for seed in range(images)]
        size = {"width": side, "height": side}
        return pipe(
            [CAPTION] * images, generator=noise, num_inference_steps=steps, guidance_scale=GUIDANCE, output_type="np",
            **size, **options,
        ).images  # fmt: skip

    name = f"{'shapes-xl' if folder is None else folder.name}, {images} images, {steps} steps"
    return Workload(name, images, pipeline.unet, generate, lambda unet: _meta_call(unet, 2 * images))


@cache
def load(folder: Path | None = None) -> Any:
    """The bundled pipeline, or the one in a folder."""
    from skewbench.tasks.experiment import ModelSpec
    from skewbench.tasks.models import load_pipeline, resolve_model

    return load_pipeline(resolve_model(ModelSpec() if folder is None else ModelSpec(id=str(folder))), "cpu")


def sdxl_sized(steps: int, dtype: torch.dtype, device: str = "cuda") -> Workload:
    """SDXL's UNet with seeded random weights: the denoising loop of one image at 1024 px, without text and VAE.

    Random weights are as much work as trained ones. Their output is noise, or not finite.
    """
    unet = sdxl()
    if device != "meta":
        torch.manual_seed(0)
        default = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(device):
                unet = UNet2DConditionModel.from_config(sdxl().config).eval()
        finally:
            torch.set_default_dtype(default)
    scheduler = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)

    def generate() -> torch.Tensor:
        scheduler.set_timesteps(steps, device=device)
        latents = torch.randn(1, 4, 128, 128, device=device, dtype=dtype)
        for step in scheduler.timesteps:
            both = scheduler.scale_model_input(torch.cat([latents, latents]), step)
            uncond, cond = _meta_call(unet, 2, both, step).chunk(2)
            latents = scheduler.step(uncond + GUIDANCE * (cond - uncond), step, latents).prev_sample
        return latents

    return Workload(f"SDXL's UNet, 1024 px, {steps} steps", 1, unet, generate, lambda meta: _meta_call(meta, 2))


def _meta_call(unet: UNet2DConditionModel, rows: int, latents: Any = None, step: Any = 500) -> torch.Tensor:
    """One call of the UNet, with noise for conditions."""
    config, like = unet.config, {"device": unet.device, "dtype": unet.dtype}
    if latents is None:
        latents = torch.empty(rows, config.in_channels, config.sample_size, config.sample_size, **like)
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    words = torch.ones(rows, 77, config.cross_attention_dim, **like)
    conditions = {"text_embeds": torch.ones(rows, pooled, **like), "time_ids": torch.ones(rows, 6, **like)}
    return unet(latents, step, encoder_hidden_states=words, added_cond_kwargs=conditions).sample
