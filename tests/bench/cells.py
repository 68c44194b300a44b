"""A run of four cells against a bare diffusers loop of as many images: `python -m tests.bench.cells`.

The loop calls the pipeline once a batch and keeps nothing. A worker generates the same prompts from the same noise,
measures every block at every step, checks and encodes the images, and writes Parquet and receipts. Four cells whose
knobs begin halfway are generated twice: each by itself, and with the shared first half computed once.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from skewbench.flows import experiments
from skewbench.tasks.experiment import Cell, GenerationSpec, MeasureSpec, ModelSpec
from skewbench.tasks.jobs import GenerateJob, Needs
from skewbench.tasks.models import resolve_model, sample_size
from skewbench.tasks.plan import Sample, Shard
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.setting import Setting
from skewbench.tasks.shared_steps import Trajectories
from skewbench.tasks.worker import Worker
from tests.bench.rounds import alternate, ratios, spread
from tests.bench.tables import arguments, show
from tests.bench.workloads import CAPTION

RUN, BATCH = "bench-00000000", 8
BARE, PLAIN, DEMO = "bare diffusers loop", "four plain cells, all measured", "the demo's four cells, all measured"
LATE, SHARED = "four cells that differ from half on, all measured", "the same, sharing steps"
GOAL = 1.15


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path, help="another folder in the hub's layout")
    parser.add_argument("--images", type=int, default=BATCH, help="of each cell")
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args(argv)
    images, steps = (2, 2) if asked.tiny else (asked.images, asked.steps)
    torch.set_num_threads(asked.threads)
    spec = ModelSpec() if asked.model is None else ModelSpec(id=str(asked.model))
    source, generation = resolve_model(spec), GenerationSpec(steps=steps)
    setting = Setting(RUN, spec, source.revision, generation, MeasureSpec(), sample_size(source, generation), BATCH)
    demo = experiments.load("demo").cells
    plain = tuple(Cell(name=f"plain-{number}", knob=demo[0].knob) for number in range(len(demo)))
    late = [{"kind": "skew", "alpha": alpha, "window": [0.5, 1]} for alpha in (1.05, 1.2, 1.4)]
    halves = (demo[0], *(Cell.model_validate({"name": f"late-{n}", "knob": knob}) for n, knob in enumerate(late)))
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Needs(folder, setting, source, asked.threads, 0.0))
        sides: dict[str, Callable[[], object]] = {
            BARE: lambda: _bare(worker._pipeline, setting, len(demo), images),
            PLAIN: lambda: _worked(worker, plain, images),
            DEMO: lambda: _worked(worker, demo, images),
            LATE: lambda: _worked(worker, halves, images),
            SHARED: lambda: _worked(worker, halves, images, sharing=True),
        }
        times = alternate(sides, rounds=asked.rounds)
    made = images * len(demo)
    rows = [
        [
            name,
            spread([seconds / made for seconds in times[name].seconds]),
            spread([seconds / made for seconds in times[name].processor]),
            ratios(times, name, BARE),
        ]
        for name in sides
    ]
    show(
        "cells",
        f"Four cells of a run: {made} images, {steps} steps, batch {BATCH}, goal {GOAL} times the bare loop",
        ["side", "seconds an image", "processor seconds an image", "/ bare loop"],
        rows,
        device="cpu",
        notes=["Ratios are of processor time, round by round. A worker loads its model once, which is not counted."],
        raw=times,
        out=asked.out,
    )


def _samples(images: int) -> tuple[Sample, ...]:
    prompt = Prompt("p0", CAPTION)
    return tuple(Sample(f"{i:016x}", f"{i:016x}", prompt, i, i) for i in range(images))


def _bare(pipeline: Any, setting: Setting, cells: int, images: int) -> None:
    """What a person writes without skewbench: the pipeline once for each batch of each cell."""
    generation, size = setting.generation, setting.size
    for _ in range(cells):
        for start in range(0, images, BATCH):
            noise = [torch.Generator().manual_seed(seed) for seed in range(start, min(start + BATCH, images))]
            pipeline(
                [CAPTION] * len(noise),
                generator=noise,
                num_inference_steps=generation.steps,
                guidance_scale=generation.guidance,
                width=size.width,
                height=size.height,
            )


def _worked(worker: Worker, cells: Sequence[Cell], images: int, *, sharing: bool = False) -> None:
    worker._trajectories = Trajectories(cells if sharing else (), GenerationSpec())
    for cell in cells:
        worker.run(GenerateJob(Shard(cell.name, cell, _samples(images))))


if __name__ == "__main__":
    main()
