"""Perturb self-attention, and measure its stability: Hopfield energy, instability, alignment and functional symmetry.

After Cho, Han, Jin, "Balancing Fidelity and Diversity in Diffusion Models via Symmetric Attention Decomposition:
Hopfield Perspective", ICML 2026. Needs torch, diffusers and pyarrow, and works in any notebook:

    pipe = StableDiffusionXLPipeline.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0").to("cuda")
    recorder = Recorder(detail="steps", columns=64)
    with perturb(pipe.unet, Skew(alpha=1.05, beta=5.0, blocks="up"), recorder, samples=4):
        images = pipe(["a red fox in the snow"] * 4, guidance_scale=5.0, num_inference_steps=30).images
    stability = recorder.to_arrow()  # a row a sample, block and branch
    stability.group_by(["sample", "stage"]).aggregate([("alignment", "mean")]).to_pylist()
"""

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
