"""Perturb self-attention, and measure its stability: Hopfield energy, instability, alignment and functional symmetry.

After Cho, Han, Jin, "Balancing Fidelity and Diversity in Diffusion Models via Symmetric Attention Decomposition:
Hopfield Perspective", ICML 2026. Needs torch and diffusers, and pyarrow for tables. Works in any notebook:

    pipe = StableDiffusionXLPipeline.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0").to("cuda")
    recorder = Recorder(detail="steps", columns=64)
    with perturb(pipe.unet, Skew(alpha=1.05, beta=5.0, blocks="up"), recorder, samples=4):
        images = pipe(["a red fox in the snow"] * 4, guidance_scale=5.0, num_inference_steps=30).images
    stability = recorder.to_arrow()  # one row per sample, block and branch
    stability.group_by(["sample", "stage"]).aggregate([("alignment", "mean")]).to_pylist()

Each name is imported when it is first used: a knob can be declared and checked without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skewbench.stability.blocks import Block
    from skewbench.stability.knobs import AttentionKnob, ConditionKnob, Knob, Rule, Skew, Temperature, Vanilla
    from skewbench.stability.loop import Loop
    from skewbench.stability.measures import Measures, measure, symmetry_index
    from skewbench.stability.perturbation import perturb
    from skewbench.stability.recorder import Recorder
    from skewbench.stability.sites import self_attention_blocks
    from skewbench.stability.softmax import SoftmaxCall
    from skewbench.stability.trajectory import Trajectory

_MODULES = {
    "blocks": ("Block",),
    "knobs": ("AttentionKnob", "ConditionKnob", "Knob", "Rule", "Skew", "Temperature", "Vanilla"),
    "loop": ("Loop",),
    "measures": ("Measures", "measure", "symmetry_index"),
    "sites": ("self_attention_blocks",),
    "perturbation": ("perturb",),
    "recorder": ("Recorder",),
    "softmax": ("SoftmaxCall",),
    "trajectory": ("Trajectory",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AttentionKnob",
    "Block",
    "ConditionKnob",
    "Knob",
    "Loop",
    "Measures",
    "Recorder",
    "Rule",
    "Skew",
    "SoftmaxCall",
    "Temperature",
    "Trajectory",
    "Vanilla",
    "measure",
    "perturb",
    "self_attention_blocks",
    "symmetry_index",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    from skewbench.stability.knobs import KNOBS

    for knob in () if name.startswith("_") else KNOBS.items():  # any knob there is, by its class's name
        if knob.__name__ == name:
            return knob
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
