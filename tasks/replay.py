"""Writes a script of plain diffusers that generates a sample again."""

from dataclasses import fields
from typing import Any

from skewbench.eval.cpu_torchvision import SCRIPT, torchvision_is_mismatched
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.families.contract import Family, Request
from skewbench.tasks.media import MEDIA
from skewbench.tasks.models import BUNDLED
from skewbench.tasks.size import Size

_SCRIPT = """\
# {cell}, prompt {prompt_id!r}, seed {seed} of run {run_id!r}
import torch
{operators}{pipeline_import}
{imports}
torch.set_num_threads({threads})  # as in the run: sums differ in the last bits
pipeline = {load}{device}


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
    imports, lines = _drawn(cell, family, sample["steps"], experiment.generation.attention_kernel)
    model = str(BUNDLED.get(sample["model"], sample["model"]))
    size, medium = Size.of_row(sample), MEDIA[family.medium]
    request = Request([sample["prompt"]], [sample["noise_seed"]], sample["steps"], sample["guidance"], size)
    revision = sample["revision"] if model.count("/") == 1 else None
    given = {"revision": revision, "variant": experiment.model.variant}
    options = {name: repr(value) for name, value in given.items() if value}
    return _SCRIPT.format(
        **{name: sample[name] for name in ("cell", "prompt_id", "seed")},
        run_id=run_id,
        operators=SCRIPT if torchvision_is_mismatched() else "",
        threads=experiment.generation.threads,
        pipeline_import=family.replay_imports(),
        load=family.replay_load(model, {**options, "dtype": f"torch.{experiment.model.dtype}"}),
        call=family.replay_call(request),
        device='.to("cuda")' if experiment.workers.gpus else "",
        imports=imports,
        sample=lines,
        save=medium.replay.format(file=f"{sample['sample_id']}.{medium.extension}", **size.known),
    )


def _drawn(cell: Cell, family: Family, steps: int, attention_kernel: str) -> tuple[str, str]:
    """Imports, and the lines that make the sample."""
    if cell.knob.kind == "vanilla":
        return "", "sample = generate()"
    knob, kind = cell.knob, type(cell.knob)
    name, module = kind.__name__, kind.__module__
    settings = ", ".join(f"{field.name}={getattr(knob, field.name)!r}" for field in fields(knob) if field.repr)
    kernel = "" if attention_kernel == "torch" else f", kernel={attention_kernel!r}"
    if family.calls:  # such a scheduler has no timesteps before it is called
        names, before, count = ["Loop", "perturb"], "", f"{steps} * pipeline.scheduler.order"
        loop = f", loop=Loop(pipeline.scheduler, {family.calls!r})"
    else:
        names, loop, count = ["perturb"], "", "len(pipeline.scheduler.timesteps)"
        before = f"pipeline.scheduler.set_timesteps({steps})\n"
    given = f"{name}({settings}), samples=1, steps={count}{kernel}{loop}"
    lines = f"{before}with perturb(pipeline.{family.denoiser}, {given}):\n    sample = generate()"
    if module.startswith("skewbench."):
        return f"from skewbench.stability import {', '.join(sorted([name, *names]))}\n", lines
    return f"from skewbench.stability import {', '.join(names)}\nfrom {module} import {name}\n", lines
