"""Writes a script of plain diffusers that generates a sample again."""

from dataclasses import fields
from typing import Any

from skewbench.eval.cpu_torchvision import SCRIPT, torchvision_is_mismatched
from skewbench.stability.knobs import Knob
from skewbench.tasks.applied import replay_lines
from skewbench.tasks.cells import turned_knobs
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.families.contract import Family, request_of
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.hub_models import is_hub_id
from skewbench.tasks.media import MEDIA
from skewbench.tasks.models import model_address
from skewbench.tasks.refined import replay_lines as refiner_lines
from skewbench.tasks.size import Size

_SCRIPT = """\
# {cell}, prompt {prompt_id!r}, seed {seed} of run {run_id!r}
import torch
{operators}{pipeline_import}
{imports}
torch.set_num_threads({threads})  # as in the run: sums differ in the last bits
pipeline = {load}{device}
{overrides}

def generate():
    return {call}


{sample}
{save}
"""


def replay_script(sample: dict[str, Any], experiment: Experiment, run_id: str, family: Family) -> str:
    """Write the script of one row of `samples`.

    The script of a baseline imports diffusers and torch; that of another cell `skewbench.stability` as well.

    Args:
        sample: the row.
        experiment: the run's experiment.
        run_id: the run's id.
        family: the family of the run's model.
    """
    cell = next(cell for cell in experiment.cells if cell.name == sample["cell"])
    generation = experiment.generation_of(cell)
    imports, lines = _drawn(cell, family, sample, generation)
    model, medium = model_address(sample["model"]), MEDIA[family.medium]
    size = Size.of_row(sample)
    request = request_of(generation, [sample["prompt"]], [sample["noise_seed"]], size)
    revision = experiment.model.revision if experiment.model.config else sample["revision"]
    revision = revision if is_hub_id(experiment.model.config or model) else None
    given = {"revision": revision, "variant": experiment.model.variant}
    options = {name: repr(value) for name, value in given.items() if value}
    options["dtype"] = f"torch.{experiment.model.dtype}"
    if config := experiment.model.config:
        load = family.replay_load_file(model, model_address(config), options)
    else:
        load = family.replay_load(model, options)
    device = '.to("cuda")' if experiment.workers.gpus else ""
    overrides = replay_lines(generation, sample["noise_seed"])
    if generation.refiner:
        overrides += refiner_lines(generation.refiner, experiment.model.dtype, device)
    return _SCRIPT.format(
        **{name: sample[name] for name in ("cell", "prompt_id", "seed")},
        run_id=run_id,
        operators=SCRIPT if torchvision_is_mismatched() else "",
        threads=generation.threads,
        pipeline_import=family.replay_imports(),
        load=load,
        call=family.replay_call(request),
        device=device,
        overrides=overrides,
        imports=imports,
        sample=lines,
        save=medium.replay.format(file=f"{sample['sample_id']}.{medium.extension}", **size.known),
    )


def _drawn(cell: Cell, family: Family, sample: dict[str, Any], generation: GenerationSpec) -> tuple[str, str]:
    """Imports, and the lines that make the sample."""
    if cell.is_plain:
        return "", "sample = generate()"
    knobs, steps = turned_knobs(cell), sample["steps"]
    weak = getattr(cell.knob, "weak", None) is not None
    kernel = "" if generation.attention_kernel == "torch" else f", kernel={generation.attention_kernel!r}"
    guidance = f", guidance={sample['guidance']!r}" if cell.guidance_rule is not None or weak else ""
    guidance += "" if cell.condition is None else f", noise_seeds=[{sample['noise_seed']}]"
    if family.calls:  # such a scheduler has no timesteps before it is called
        names, before, count = ["Loop", "perturb"], "", f"{steps} * pipeline.scheduler.order"
        loop = f", loop=Loop(pipeline.scheduler, {family.calls!r})"
    else:
        names, loop, count = ["perturb"], "", "len(pipeline.scheduler.timesteps)"
        before = f"pipeline.scheduler.set_timesteps({steps})\n"
        if generation.refiner:  # the pipeline's own part
            before += "levels = pipeline.scheduler.config.num_train_timesteps\n"
            count = f"int((pipeline.scheduler.timesteps >= round(levels - {generation.refiner.at!r} * levels)).sum())"
    turned = ", ".join(map(_expression, knobs))
    turned = turned if len(knobs) == 1 else f"[{turned}]"
    given = f"{turned}, samples=1, steps={count}{guidance}{kernel}{loop}"
    lines = f"{before}with perturb(pipeline.{family.denoiser}, {given}):\n    sample = generate()"
    others = [knob for knob in knobs if not type(knob).__module__.startswith("skewbench.")]
    ours = sorted([*names, *(type(knob).__name__ for knob in knobs if knob not in others)])
    imports = [f"from skewbench.stability import {', '.join(ours)}"]
    imports += [f"from {type(knob).__module__} import {type(knob).__name__}" for knob in others]
    return "\n".join([*imports, ""]), lines


def _expression(knob: Knob) -> str:
    """A knob as Python writes it."""
    settings = ", ".join(f"{field.name}={getattr(knob, field.name)!r}" for field in fields(knob) if field.repr)
    return f"{type(knob).__name__}({settings})"
