"""Training scenes: rendered once into memory, with new captions at each step."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from rich.progress import track
from torch import Tensor

from skewbench.eval.scenes.captions import caption
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import Scene, Split, sample_scene

SHARES = (0.35, 0.45, 0.20)
"""Share of scenes with one, two and three objects."""


@dataclass(frozen=True)
class Pool:
    """Scenes and their images."""

    scenes: list[Scene]
    pixels: UInt8[Tensor, "n 64 64 3"]


def draw_pool(size: int, seed: int, split: Split = "train", shares: tuple[float, float, float] = SHARES) -> Pool:
    """Sample scenes of a split and render them.

    Args:
        size: Number of scenes.
        seed: Seed of the scenes.
        split: Split of the scenes.
        shares: Shares of scenes with 1, 2 and 3 objects; they add up to 1.

    Returns:
        Scenes and images, the same for the same arguments.
    """
    rng = np.random.default_rng(seed)
    counts = rng.choice([1, 2, 3], size=size, p=shares)
    scenes = [sample_scene(rng, int(count), split) for count in counts]
    pixels = np.stack([np.asarray(render(scene)) for scene in track(scenes, description="drawing scenes")])
    return Pool(scenes, torch.from_numpy(pixels))


def as_model_input(pixels: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
    """Scale pixels and put the channels first.

    Args:
        pixels: sRGB images in 0..255; shape (n, h, w, 3).

    Returns:
        Images in -1..1; shape (n, 3, h, w).
    """
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def captions_of(scenes: list[Scene], seed: int) -> list[str]:
    """Write a random true caption for each scene.

    Args:
        scenes: n scenes.
        seed: Seed of the captions.

    Returns:
        n captions.
    """
    rng = np.random.default_rng(seed)
    return [caption(scene, rng) for scene in scenes]
