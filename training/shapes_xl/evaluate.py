"""Measure the bundled model: `python -m skewbench.training.shapes_xl.evaluate` generates random test captions.

Prints the binding score by number of objects, with its parts, and draws a contact sheet of the first images: random,
not chosen.
"""

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
from skewbench.tasks.models import load_pipeline, resolve_model, sample_size
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompts import Prompt
from skewbench.training.scenes import Images, evaluate

BATCH = 8


def main(
    prompts: Annotated[int, typer.Option(help="Captions for each number of objects.")] = 64,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Which captions and noise.")] = 1,
    model: Annotated[str, typer.Option(help="Folder or name of the model.")] = "shapes-xl",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet of 64 images here.")] = None,
) -> None:
    """Score random test captions, and draw a contact sheet."""
    torch.set_num_threads(1)
    source = resolve_model(ModelSpec(id=model))
    generation = GenerationSpec(steps=steps, guidance=guidance)
    pipeline, size = load_pipeline(source, device), sample_size(source, generation)

    def generate(chosen: list[Prompt]) -> Images:
        samples = [Sample(p.id, p.id, p, seed, noise_seed(p.id, seed, shared=False)) for p in chosen]
        batches = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
        images = [
            generate_batch(pipeline, batch, Vanilla(), generation, size)
            for batch in track(batches, description="generating", console=Console(stderr=True))
        ]
        return (np.concatenate(images) * 255).round().astype(np.uint8)

    evaluate(generate, f"{model}, {steps} steps, guidance {guidance:g}", prompts, seed, sheet)


if __name__ == "__main__":
    typer.run(main)
