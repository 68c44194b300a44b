"""Measures how well a bundled model follows captions: binding scores of held-out captions, and a contact sheet."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer
from jaxtyping import UInt8
from PIL import Image
from rich.console import Console
from rich.table import Table

from skewbench.eval.scorers import SampleScorer, Score, declaration, make
from skewbench.eval.statistics import interval, mean_draws, resample
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts import Prompt, load_prompts

Images = UInt8[np.ndarray, "n h w 3"]
OBJECTS = (1, 2, 3)
RESAMPLES = 2000
_ON_SHEET = 64
_ZOOM = 2
_MARGIN = 4


def evaluate(
    generate: Callable[[list[Prompt]], Images], title: str, prompts: int, seed: int, sheet: Path | None
) -> None:
    """Generate random captions of the test split, and print binding and its parts by number of objects.

    Args:
        generate: Makes one image per prompt.
        title: Title of the table: model and settings.
        prompts: Captions for each number of objects.
        seed: Decides the captions.
        sheet: File for a contact sheet of the first 64 images; None: no sheet.
    """
    judge = make("binding")
    if not isinstance(judge, SampleScorer):
        raise TypeError("the binding scorer scores images")
    several = len(OBJECTS)
    mixed = load_prompts(PromptSpec(count=max(_ON_SHEET, several * prompts), objects=OBJECTS, seed=seed))
    images = generate(mixed[: several * prompts])
    positions = {n: list(range(OBJECTS.index(n), several * prompts, several)) for n in OBJECTS}
    scores = {n: judge.score(images[of], [mixed[i].text for i in of]) for n, of in positions.items()}
    columns = (f"{n} object{'s' if n > 1 else ''}" for n in OBJECTS)
    table = Table("", *columns, title=f"{title}, {prompts} captions each: means [95%]")
    for metric in declaration("binding").metric_names:
        table.add_row(metric, *(_mean(scores[n][metric]) for n in OBJECTS))
    Console().print(table)
    if sheet:
        Image.fromarray(contact_sheet(images[:_ON_SHEET])).save(sheet)
        typer.echo(f"{sheet}: {min(_ON_SHEET, len(images))} images")


def contact_sheet(images: Images, across: int = 8) -> UInt8[np.ndarray, "H W 3"]:
    """Arrange images in rows, enlarged without smoothing, on white.

    Args:
        images: sRGB images in 0..255; shape (n, h, w, 3).
        across: Images per row.

    Returns:
        One image; shape (H, W, 3).
    """
    large = images.repeat(_ZOOM, axis=1).repeat(_ZOOM, axis=2)
    framed = np.pad(large, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), constant_values=255)
    whole = np.full((-len(framed) % across, *framed.shape[1:]), 255, np.uint8)
    rows = np.concatenate([framed, whole]).reshape(-1, across, *framed.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def _mean(scores: list[Score]) -> str:
    values = np.array([score.value for score in scores if score.value is not None])
    if not len(values):
        return "-"
    draws = mean_draws(values[:, None], np.arange(len(values)), resample(len(values), RESAMPLES))
    within = interval(draws[:, 0])
    return f"{values.mean():.3f} [{within.low:.3f}, {within.high:.3f}]"
