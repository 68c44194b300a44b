"""Perturb self-attention, and measure its stability: Hopfield energy, instability, alignment and functional symmetry.

After Cho, Han, Jin, "Balancing Fidelity and Diversity in Diffusion Models via Symmetric Attention Decomposition:
Hopfield Perspective", ICML 2026. Needs torch, diffusers and pyarrow, and works in any notebook:

    pipe = StableDiffusionXLPipeline.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0").to("cuda")
    recorder = Recorder(detail="steps", columns=64)
    with perturb(pipe.unet, Skew(alpha=1.05, beta=5.0, blocks="up"), recorder, samples=4):
        images = pipe(["a red fox in the snow"] * 4, guidance_scale=5.0, num_inference_steps=30).images
    stability = recorder.to_arrow()  # a row a sample, block and branch
    stability.group_by(["sample", "stage"]).aggregate([("alignment", "mean")]).to_pylist()

The names below are imported when they are first used: a knob can be made and checked without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skewbench.stability.blocks import Block, self_attention_blocks
    from skewbench.stability.knobs import Knob, Skew, Temperature, Vanilla
    from skewbench.stability.measures import Measures, measure, symmetry_index
    from skewbench.stability.perturbation import perturb
    from skewbench.stability.recorder import Recorder

__all__ = [
    "Block",
    "Knob",
    "Measures",
    "Recorder",
    "Skew",
    "Temperature",
    "Vanilla",
    "measure",
    "perturb",
    "self_attention_blocks",
    "symmetry_index",
]
_MODULES = {
    "blocks": ("Block", "self_attention_blocks"),
    "knobs": ("Knob", "Skew", "Temperature", "Vanilla"),
    "measures": ("Measures", "measure", "symmetry_index"),
    "perturbation": ("perturb",),
    "recorder": ("Recorder",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
