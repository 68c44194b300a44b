"""The contract of scorers: they turn samples and their prompts into numbers, or reasons for missing numbers.

Imports nothing heavy, since every scorer's file imports it at its top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from skewbench.eval.scoring.audio import Waveforms
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.video import Videos

    Batch = Images | Waveforms | Videos
    """Samples by medium: images (n, h, w, 3), sRGB in 0..255; n waveforms; n videos. All of one size."""


@dataclass(frozen=True)
class Score:
    """A number, or None with the reason. Exactly one of value and reason is None."""

    value: float | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"a score needs either a value or a reason: {self!r}")


@dataclass(frozen=True)
class GroupScore(Score):
    """A number of a set of samples. `n`: the number of samples it was computed from."""

    n: int = 0


NO_PROMPT = Score(None, "the prompt is empty")


@runtime_checkable
class SampleScorer(Protocol):
    """Scores single samples: unit `sample`."""

    def score(self, samples: Any, prompts: Sequence[str], /) -> dict[str, list[Score]]:
        """Score each sample for each declared metric.

        Args:
            samples: The samples, in the form that `Batch` has for its medium; n may be 0.
            prompts: n prompts.

        Returns:
            By metric, one score per sample in the order of the samples.
        """


@runtime_checkable
class GroupScorer(Protocol):
    """Scores the samples of one prompt in one cell as a set: unit `prompt`."""

    def score_group(self, samples: Any, prompt: str | None, /) -> dict[str, GroupScore]:
        """Score a set of samples for each declared metric.

        Args:
            samples: The samples, in the form that `Batch` has for its medium; n is at least 1.
            prompt: The prompt of all samples; None for a set of many prompts.

        Returns:
            One score by metric.
        """


@runtime_checkable
class SetScorer(Protocol):
    """Compares all samples of a cell with a set of reference samples: unit `cell`."""

    def features(self, samples: Sequence[Any], /) -> Float[np.ndarray, "n d"]:
        """Compute the features of samples.

        Args:
            samples: n samples, which may differ in size; n may be 0. Images: sRGB pixels in 0..255 of shape (h, w, 3).
                Audio: pairs of a waveform in [-1, 1] of shape (t,) and its sampling rate in Hz.

        Returns:
            One row per sample; shape (n, d).
        """

    def compare(self, made: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"]) -> dict[str, GroupScore]:
        """Compare the features of generated samples with those of reference samples.

        Args:
            made: Features of the cell's samples; shape (n, d).
            real: Features of the reference; shape (m, d).

        Returns:
            One score by metric, whose `n` is the number of generated samples.
        """


Scorer = SampleScorer | GroupScorer | SetScorer


def check_batch(samples: Batch, prompts: Sequence[str]) -> None:
    """Check that there is one prompt per sample.

    Args:
        samples: Samples of any medium.
        prompts: Prompts.

    Raises:
        ValueError: The numbers differ.
    """
    if len(samples) != len(prompts):
        raise ValueError(f"number of prompts and samples differ: {len(samples)} samples, {len(prompts)} prompts")
