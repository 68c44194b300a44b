"""The contract of scorers: images and their prompts in; numbers, or the reason why there is none, out.

Imports nothing heavy, since every scorer's file imports it at its top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8

    from skewbench.eval.scoring.images import Images


@dataclass(frozen=True)
class Score:
    """A number, or None with the reason why there is none. Exactly one of value and reason is None."""

    value: float | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"a score has a value or a reason, one of the two: {self!r}")


@dataclass(frozen=True)
class GroupScore(Score):
    """A number of a set of images. `n`: how many images of the set it was computed from."""

    n: int = 0


NO_PROMPT = Score(None, "the prompt is empty")


@runtime_checkable
class ImageScorer(Protocol):
    """Scores each image by itself: unit `sample`."""

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        """Score each image for each declared metric.

        Args:
            images: sRGB pixels in 0..255; shape (n, h, w, 3); n may be 0.
            prompts: n prompts.

        Returns:
            By metric, one score per image in the order of the images.
        """


@runtime_checkable
class GroupScorer(Protocol):
    """Scores the images of one prompt in one cell as a set: unit `prompt`."""

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        """Score a set of images for each declared metric.

        Args:
            images: sRGB pixels in 0..255; shape (n, h, w, 3); n is at least 1.
            prompt: The prompt of all images; None for a set of many prompts.

        Returns:
            One score by metric.
        """


@runtime_checkable
class SetScorer(Protocol):
    """Compares all images of a cell with a set of reference images: unit `cell`."""

    def features(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Float[np.ndarray, "n d"]:
        """Compute the features of images.

        Args:
            images: sRGB pixels in 0..255; n images of shape (h, w, 3), which may differ in size; n may be 0.

        Returns:
            One row per image; shape (n, d).
        """

    def compare(self, made: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"]) -> dict[str, GroupScore]:
        """Compare the features of generated images with those of reference images.

        Args:
            made: Features of the cell's images; shape (n, d).
            real: Features of the reference images; shape (m, d).

        Returns:
            One score by metric, whose `n` is the number of generated images.
        """


Scorer = ImageScorer | GroupScorer | SetScorer


def check_batch(images: Images, prompts: Sequence[str]) -> None:
    """Check that there is one prompt per image.

    Args:
        images: sRGB pixels; shape (n, h, w, 3).
        prompts: Prompts.

    Raises:
        ValueError: The numbers differ.
    """
    if len(images) != len(prompts):
        raise ValueError(f"one prompt an image: {len(images)} images, {len(prompts)} prompts")
