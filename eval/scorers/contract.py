"""What a scorer is: images and their prompts in, numbers out, or the reason why there is none.

A scorer is cheap to make: it loads its weights once, at the first batch, and works in batches. Its name is the `scorer`
column of the lake, its version is raised whenever a number it yields may change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

Images = UInt8[np.ndarray, "n h w 3"]
"""Decoded sRGB images of one size."""


@dataclass(frozen=True)
class Score:
    """A number, or None with the reason why it cannot be had. Exactly one of the two is None."""

    value: float | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"a score has a value or a reason, one of the two: {self!r}")


@dataclass(frozen=True)
class GroupScore(Score):
    """A number of a set of images. `n`: how many images of the set it is of."""

    n: int = 0


@runtime_checkable
class ImageScorer(Protocol):
    """Scores each image by itself."""

    name: str
    version: int
    metrics: tuple[str, ...]
    needs: tuple[str, ...]  # weights and optional packages, by their names in `skewbench.eval.weights`; () for none

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        """For each of `metrics` a score an image, in their order. `prompts`: one an image."""


@runtime_checkable
class GroupScorer(Protocol):
    """Scores a set of images as a whole."""

    name: str
    version: int
    metrics: tuple[str, ...]
    needs: tuple[str, ...]
    set: str  # the set's definition, in words

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        """For each of `metrics` one score. `prompt`: the prompt of all images; None for a set of many prompts."""


@runtime_checkable
class SetScorer(Protocol):
    """Compares all images of a cell with a set of reference images, by features that are computed once an image."""

    name: str
    version: int
    metrics: tuple[str, ...]
    needs: tuple[str, ...]
    set: str  # the set's definition, in words

    def features(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Float[np.ndarray, "n d"]:
        """Features of images, which may be of different sizes."""

    def compare(self, made: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"]) -> dict[str, GroupScore]:
        """For each of `metrics` one score."""


Scorer = ImageScorer | GroupScorer | SetScorer


def check_batch(images: Images, prompts: Sequence[str]) -> None:
    """Raises `ValueError` unless there is one prompt an image."""
    if len(images) != len(prompts):
        raise ValueError(f"one prompt an image: {len(images)} images, {len(prompts)} prompts")
