"""Measure a model of scenes: `python -m skewbench.training.evaluate shapes-xl` generates random test captions.

Prints the binding score by number of objects, with its parts, and the time per image; `--sheet` writes a contact sheet
of the first images: random, not chosen. `sounds` has a command of its own, `skewbench.training.sounds.evaluate`.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track

from skewbench.stability import Vanilla
from skewbench.tasks.experiment import GenerationSpec, ModelSpec
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.identity import noise_seed
from skewbench.tasks.models import CAPTIONS, load_pipeline, resolve_model, sample_size
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompts import Prompt
from skewbench.training.scenes import Images, evaluate

BATCH = 8
_NAMES = ", ".join(name for name, captions in CAPTIONS.items() if captions == "scenes")


def main(
    model: Annotated[str, typer.Argument(help=f"{_NAMES}, or the folder of a model.")],
    prompts: Annotated[int, typer.Option(help="Captions for each number of objects.")] = 64,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Which captions and noise.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet of 64 images here.")] = None,
) -> None:
    """Score random test captions, and write a contact sheet."""
    if CAPTIONS.get(model, "scenes") != "scenes":
        raise typer.BadParameter(f"{model} generates no scenes; run skewbench.training.{model}.evaluate")
    torch.set_num_threads(1)
    source = resolve_model(ModelSpec(id=model))
    generation = GenerationSpec(steps=steps, guidance=guidance)
    pipeline, size = load_pipeline(source, device), sample_size(source, generation)
    began = time.process_time()

    def generate(chosen: list[Prompt]) -> Images:
        samples = [Sample(p.id, p.id, p, seed, noise_seed(p.id, seed, shared=False)) for p in chosen]
        batches = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
        images = [
            generate_batch(pipeline, batch, Vanilla(), generation, size)
            for batch in track(batches, description="generating", console=Console(stderr=True))
        ]
        typer.echo(f"{(time.process_time() - began) / len(chosen):.2f} s of processor time per image")
        return (np.concatenate(images) * 255).round().astype(np.uint8)

    evaluate(generate, f"{model}, {steps} steps, guidance {guidance:g}", prompts, seed, sheet)


if __name__ == "__main__":
    typer.run(main)
