"""Small folders of images, and what became of them in the lake of the working folder."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
from PIL import Image

from skewbench import sql

Command = Callable[..., CompletedProcess[str]]
LABELS = [(prompt, seed) for prompt in ("a red cup", "two owls") for seed in (7, 11)]


def noise(number: int, size: int = 8) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)
    return Image.fromarray(pixels)


def folder_of_images(folder: Path, first: int = 0) -> Path:
    """Images named after their prompt and seed."""
    folder.mkdir(parents=True)
    for number, (prompt, seed) in enumerate(LABELS, first):
        noise(number).save(folder / f"{prompt.replace(' ', '_')}-{seed}.png")
    return folder


def rows(statement: str) -> list[tuple[Any, ...]]:
    with sql.connect("lake") as lake:
        return lake.execute(statement).fetchall()
