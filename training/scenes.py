"""Measures how well a bundled model of scenes follows captions: binding, and a contact sheet."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer
from jaxtyping import UInt8
from PIL import Image

from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts import Prompt
from skewbench.training.quality import COUNTS, by_count

Images = UInt8[np.ndarray, "n h w 3"]
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
    images = by_count(generate, PromptSpec(objects=COUNTS, seed=seed), "binding", title, prompts)
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
