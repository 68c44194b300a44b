"""Measures `shapes-mmdit`: `python -m skewbench.training.shapes_mmdit.evaluate` generates random test captions.

Prints the binding score by number of objects, with its parts, and the time per image; `--sheet` writes a contact sheet
of the first images: random, not chosen.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import StableDiffusion3Pipeline
from rich.console import Console
from rich.progress import track

from skewbench.tasks.identity import noise_seed
from skewbench.tasks.prompts import Prompt
from skewbench.training.scenes import Images, evaluate
from skewbench.training.shapes_mmdit import WEIGHTS
from skewbench.training.shapes_mmdit.architecture import T5_TOKENS, load

BATCH = 8


def main(
    prompts: Annotated[int, typer.Option(help="Captions for each number of objects.")] = 64,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 5.0,
    shift: Annotated[float | None, typer.Option(help="Shift of the scheduler; default: the model's own.")] = None,
    seed: Annotated[int, typer.Option(help="Which captions and noise.")] = 1,
    model: Annotated[Path, typer.Option(help="Folder of the model.")] = WEIGHTS,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet of 64 images here.")] = None,
) -> None:
    """Score random test captions, and write a contact sheet."""
    torch.set_num_threads(1)
    if not (model / "model_index.json").is_file():
        raise typer.BadParameter(
            f"no model_index.json in {model}: train and export the model first", param_hint="--model"
        )
    pipeline = load(model, device)
    if shift is not None:
        pipeline.scheduler.set_shift(shift)
    began = time.process_time()

    def generate(chosen: list[Prompt]) -> Images:
        batches = [chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)]
        images = [
            generate_batch(pipeline, batch, seed, steps, guidance)
            for batch in track(batches, description="generating", console=Console(stderr=True))
        ]
        typer.echo(f"{(time.process_time() - began) / len(chosen):.2f} s of processor time per image")
        return np.concatenate(images)

    evaluate(generate, f"{model.name}, {steps} steps, guidance {guidance:g}", prompts, seed, sheet)


def generate_batch(
    pipeline: StableDiffusion3Pipeline, prompts: list[Prompt], seed: int, steps: int, guidance: float
) -> Images:
    """Generate one image per prompt, whose noise depends only on the prompt and the seed.

    Args:
        pipeline: The model.
        prompts: n prompts.
        seed: Seed of the noise.
        steps: Denoising steps.
        guidance: Classifier-free guidance scale.

    Returns:
        sRGB images in 0..255; shape (n, 64, 64, 3).
    """
    noise = [torch.Generator().manual_seed(noise_seed(p.id, seed, shared=False)) for p in prompts]
    images = pipeline(
        [p.text for p in prompts],
        num_inference_steps=steps,
        guidance_scale=guidance,
        max_sequence_length=T5_TOKENS,
        generator=noise,
        output_type="np",
    ).images
    rounded: Images = (images * 255).round().astype(np.uint8)
    return rounded


if __name__ == "__main__":
    typer.run(main)
