"""What a scorer computes: samples and their prompts in, numbers out, or the reason why there is none.

Imports nothing heavy, as all that a file of a scorer imports at its top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8

    from skewbench.eval.scoring.audio import Waveforms
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.video import Videos

    Batch = Images | Waveforms | Videos
    """Samples by medium: images (n, h, w, 3), sRGB in 0..255; n waveforms; n videos. All of one size."""


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
    """A number of a set of samples. `n`: how many samples of the set it is of."""

    n: int = 0


NO_PROMPT = Score(None, "the prompt is empty")


@runtime_checkable
class SampleScorer(Protocol):
    """Scores each sample by itself: unit `sample`."""

    def score(self, samples: Any, prompts: Sequence[str], /) -> dict[str, list[Score]]:
        """For each declared metric a score per sample, in their order.

        Args:
            samples: What `Batch` says of its medium; n may be 0.
            prompts: n prompts.
        """


@runtime_checkable
class GroupScorer(Protocol):
    """Scores the samples of one prompt in one cell as a set: unit `prompt`."""

    def score_group(self, samples: Any, prompt: str | None, /) -> dict[str, GroupScore]:
        """For each declared metric one score.

        Args:
            samples: What `Batch` says of its medium; n is at least 1.
            prompt: The prompt of all samples; None for a set of many prompts.
        """


@runtime_checkable
class SetScorer(Protocol):
    """Compares all images of a cell with a set of reference images: unit `cell`."""

    def features(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Float[np.ndarray, "n d"]:
        """Features of n images, which may be of different sizes; n may be 0."""

    def compare(self, made: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"]) -> dict[str, GroupScore]:
        """For each declared metric one score, of the features of n images against those of m reference images."""


Scorer = SampleScorer | GroupScorer | SetScorer


def check_batch(samples: Batch, prompts: Sequence[str]) -> None:
    """Raises `ValueError` unless there is one prompt a sample."""
    if len(samples) != len(prompts):
        raise ValueError(f"one prompt a sample: {len(samples)} samples, {len(prompts)} prompts")
