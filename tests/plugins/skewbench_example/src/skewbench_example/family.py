"""Latent consistency models: a UNet on latents that takes guidance as an input."""

from skewbench.tasks.families.contract import Family
from skewbench.tasks.families.registry import register
from skewbench.tasks.size import Size


@register
class LatentConsistency(Family):
    """LatentConsistencyModelPipeline."""

    name = "lcm"
    pipelines = ("LatentConsistencyModelPipeline",)
    example = "SimianLuo/LCM_Dreamshaper_v7"
    denoiser = "unet"
    branches = ("cond",)
    parts = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")

    def blocks(self, config):
        import torch
        from diffusers import UNet2DConditionModel

        from skewbench.stability import self_attention_blocks

        with torch.device("meta"):
            return self_attention_blocks(UNet2DConditionModel.from_config(dict(config("unet"))))

    def native_size(self, config):
        pixels = config("unet")["sample_size"] * 2 ** (len(config("vae")["block_out_channels"]) - 1)
        return Size(pixels, pixels)

    def load(self, folder, dtype, variant):
        from diffusers import LatentConsistencyModelPipeline

        options = {"safety_checker": None, "use_safetensors": True, "local_files_only": True}
        return LatentConsistencyModelPipeline.from_pretrained(str(folder), dtype=dtype, variant=variant, **options)

    def model_calls(self, pipeline, request):
        pipeline.scheduler.set_timesteps(request.steps)
        return len(pipeline.scheduler.timesteps)

    def generate(self, pipeline, request):
        import torch

        return pipeline(
            list(request.prompts),
            generator=[torch.Generator().manual_seed(seed) for seed in request.noise_seeds],
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            width=request.size.width,
            height=request.size.height,
            output_type="np",
        ).images

    def replay_imports(self):
        return "from diffusers import LatentConsistencyModelPipeline"

    def replay_load(self, model, options):
        given = "".join(f", {name}={value}" for name, value in options.items())
        return f"LatentConsistencyModelPipeline.from_pretrained({model!r}{given}, safety_checker=None)"

    def replay_call(self, request):
        (prompt,), (seed,), size = request.prompts, request.noise_seeds, request.size
        return (
            f"pipeline({prompt!r}, generator=torch.Generator().manual_seed({seed}), "
            f"num_inference_steps={request.steps}, guidance_scale={request.guidance}, "
            f"width={size.width}, height={size.height}).images[0]"
        )
