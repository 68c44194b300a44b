"""Measure the bundled model: `python -m skewbench.tasks.shapes_xl.evaluate` generates random test captions.

Prints the binding score by number of objects, with its parts, and draws a contact sheet of the first pictures: random,
not chosen.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from jaxtyping import UInt8
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from skewbench.eval.scorers import ImageScorer, Score, declaration, make
from skewbench.eval.statistics import interval, mean_draws, resample
from skewbench.stability import Vanilla
from skewbench.tasks.experiment import GenerationSpec, ModelSpec, PromptSpec
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.identity import noise_seed
from skewbench.tasks.models import image_size, load_pipeline, resolve_model
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompts import Prompt, load_prompts

BATCH = 8
RESAMPLES = 2000
_ZOOM = 2
_MARGIN = 4


def main(
    prompts: Annotated[int, typer.Option(help="Captions for each number of objects.")] = 64,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Which captions and noise.")] = 1,
    model: Annotated[str, typer.Option(help="Folder or name of the model.")] = "shapes-xl",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet of 64 pictures here.")] = None,
) -> None:
    """Score random test captions, and draw a contact sheet."""
    torch.set_num_threads(1)
    source = resolve_model(ModelSpec(id=model))
    pipeline, size = load_pipeline(source, device), image_size(source, None, None)
    judge = make("binding")
    if not isinstance(judge, ImageScorer):
        raise TypeError("the binding scorer scores images")
    mixed = load_prompts(PromptSpec(count=max(64, 3 * prompts), objects=(1, 2, 3), seed=seed))
    drawn = _draw(pipeline, mixed[: 3 * prompts], GenerationSpec(steps=steps, guidance=guidance), size, seed)
    counts = {objects: list(range(objects - 1, 3 * prompts, 3)) for objects in (1, 2, 3)}
    scores = {n: judge.score(drawn[of], [mixed[i].text for i in of]) for n, of in counts.items()}
    title = f"{model}, {steps} steps, guidance {guidance:g}, {prompts} captions each: means [95%]"
    table = Table("", *(f"{n} object{'s' if n > 1 else ''}" for n in counts), title=title)
    for metric in declaration("binding").metric_names:
        table.add_row(metric, *(_mean(scores[n][metric]) for n in counts))
    Console().print(table)
    if sheet:
        Image.fromarray(contact_sheet(drawn[:64])).save(sheet)
        typer.echo(f"{sheet}: {min(64, len(drawn))} pictures")


def contact_sheet(pictures: UInt8[np.ndarray, "n h w 3"], across: int = 8) -> UInt8[np.ndarray, "H W 3"]:
    """Pictures in rows, enlarged without smoothing, on white."""
    large = pictures.repeat(_ZOOM, axis=1).repeat(_ZOOM, axis=2)
    framed = np.pad(large, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), constant_values=255)
    whole = np.full((-len(framed) % across, *framed.shape[1:]), 255, np.uint8)
    rows = np.concatenate([framed, whole]).reshape(-1, across, *framed.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def _draw(
    pipeline: object, prompts: list[Prompt], generation: GenerationSpec, size: tuple[int, int], seed: int
) -> UInt8[np.ndarray, "n h w 3"]:
    samples = [Sample(p.id, p.id, p, seed, noise_seed(p.id, seed, shared=False)) for p in prompts]
    batches = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    pictures = [
        generate_batch(pipeline, batch, Vanilla(), generation, size)
        for batch in track(batches, description="drawing", console=Console(stderr=True))
    ]
    return (np.concatenate(pictures) * 255).round().astype(np.uint8)


def _mean(scores: list[Score]) -> str:
    values = np.array([score.value for score in scores if score.value is not None])
    if not len(values):
        return "-"
    draws = mean_draws(values[:, None], np.arange(len(values)), resample(len(values), RESAMPLES))
    within = interval(draws[:, 0])
    return f"{values.mean():.3f} [{within.low:.3f}, {within.high:.3f}]"


if __name__ == "__main__":
    typer.run(main)
