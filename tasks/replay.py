"""A sample of the lake as a script of plain diffusers that draws the same picture."""

from dataclasses import fields
from typing import Any

from skewbench.eval.cpu_torchvision import SCRIPT, torchvision_is_mismatched
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.models import BUNDLED

_SCRIPT = """\
# {cell}, prompt {prompt_id!r}, seed {seed} of run {run_id!r}
import torch
{operators}from diffusers import StableDiffusionXLPipeline
{imports}
torch.set_num_threads({threads})  # as in the run: sums differ in the last bits
pipeline = StableDiffusionXLPipeline.from_pretrained(
    {model!r}, {where}dtype=torch.{dtype}, use_safetensors=True, add_watermarker=False
){device}


def draw():
    return pipeline(
        {prompt!r},
        generator=torch.Generator().manual_seed({noise_seed}),
        num_inference_steps={steps}, guidance_scale={guidance}, width={width}, height={height},
    ).images[0]


{image}
image.save({file!r})
"""


def replay_script(sample: dict[str, Any], experiment: Experiment, run_id: str) -> str:
    """The script of one row of `samples`. A baseline needs diffusers alone; other cells `stability` as well."""
    cell = next(cell for cell in experiment.cells if cell.name == sample["cell"])
    imports, image = _drawn(cell, sample["steps"], experiment.generation.attention_kernel)
    model = str(BUNDLED.get(sample["model"], sample["model"]))
    copied = ("cell", "prompt_id", "seed", "prompt", "noise_seed", "steps", "guidance", "width", "height")
    return _SCRIPT.format(
        **{name: sample[name] for name in copied},
        run_id=run_id,
        operators=SCRIPT if torchvision_is_mismatched() else "",
        dtype=experiment.model.dtype,
        threads=experiment.generation.threads,
        model=model,
        where=_where(sample["revision"] if model.count("/") == 1 else None, experiment.model.variant),
        device='.to("cuda")' if experiment.workers.gpus else "",
        imports=imports,
        image=image,
        file=f"{sample['sample_id']}.png",
    )


def _where(revision: str | None, variant: str | None) -> str:
    given = {"revision": revision, "variant": variant}
    return "".join(f"{name}={value!r}, " for name, value in given.items() if value)


def _drawn(cell: Cell, steps: int, attention_kernel: str) -> tuple[str, str]:
    """Imports, and the lines that make the image."""
    if cell.knob.kind == "vanilla":
        return "", "image = draw()"
    knob, kind = cell.knob, type(cell.knob)
    name, module = kind.__name__, kind.__module__
    settings = ", ".join(f"{field.name}={getattr(knob, field.name)!r}" for field in fields(knob) if field.repr)
    kernel = "" if attention_kernel == "torch" else f", kernel={attention_kernel!r}"
    given = f"{name}({settings}), samples=1, steps=len(pipeline.scheduler.timesteps){kernel}"
    perturbed = f"with perturb(pipeline.unet, {given}):"
    lines = f"pipeline.scheduler.set_timesteps({steps})\n{perturbed}\n    image = draw()"
    if module.startswith("skewbench."):
        return f"from skewbench.stability import {name}, perturb\n", lines
    return f"from skewbench.stability import perturb\nfrom {module} import {name}\n", lines
