"""Scores of a cell's images against reference images: shared features, and comparisons with the reasons of refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore
from skewbench.vocabulary.metrics import Better, Metric

if TYPE_CHECKING:
    import numpy as np

    from skewbench.eval.scoring.distribution import Features
    from skewbench.eval.scoring.features import ImageFeatures

    Compare = Callable[[Features, Features], dict[str, GroupScore]]

SET = "all images of the cell that are not blank"
"""Definition of the set, in words."""


class FeatureSets:
    """Compares the features of a cell's images with those of the reference.

    Args:
        features: The network, which other scorers may share.
        compare: Features of the generated images (n, d) and of the reference (m, d) -> one score by metric.
    """

    def __init__(self, features: ImageFeatures, compare: Compare) -> None:
        self._features, self._compare = features, compare

    def features(self, images: Sequence[np.ndarray]) -> Features:
        """Compute features.

        Args:
            images: Images as (h, w, 3) in 0..255, of any sizes.

        Returns:
            One row per image; shape (n, d).
        """
        found: Features = self._features.images(images).numpy()
        return found

    def compare(self, made: Features, real: Features) -> dict[str, GroupScore]:
        """Compute all metrics. A metric that needs more images is None with the reason.

        Args:
            made: Features of the generated images.
            real: Features of the reference's images.
        """
        return self._compare(made, real)


def frechet(
    made: Features, real: Features, noun: str = "images", called: str = "the distance", instead: str = ""
) -> GroupScore:
    """Compute the Fréchet distance, where there are more samples than features.

    Args:
        made: Features of the cell's samples; shape (n, d).
        real: Features of the reference; shape (m, d).
        noun: What the samples are.
        called: What the distance is called.
        instead: Name of a metric without the bias of few samples.
    """
    from skewbench.eval.scoring.distribution import fid

    n, fewest, width = len(made), min(len(made), len(real)), made.shape[1]
    if fewest > width:
        return GroupScore(fid(made, real), n=n)
    advice = f"; {instead} has no such bias" if instead else ""
    few = f"{fewest} {noun}, no more than the {width} features: {called} would be mostly noise{advice}"
    return GroupScore(None, few, n=n)


def discrepancy(
    name: str, made: Features, real: Features, distance: Callable[[Features, Features], tuple[float, float]]
) -> dict[str, GroupScore]:
    """Compute an unbiased kernel distance and its standard error.

    Args:
        name: Name of the metric; the error's ends in `_error`.
        made: Features of the cell's images.
        real: Features of the reference's images.
        distance: Both sets -> the distance and its standard error, NaN where there are too few images.
    """
    from math import isfinite

    n, fewest = len(made), min(len(made), len(real))
    if fewest < 2:
        few = GroupScore(None, f"{fewest} images; at least 2 are needed", n=n)
        return {name: few, f"{name}_error": few}
    value, error = distance(made, real)
    few = GroupScore(None, f"{fewest} images are too few for a standard error", n=n)
    return {name: GroupScore(value, n=n), f"{name}_error": GroupScore(error, n=n) if isfinite(error) else few}


def neighbours(made: Features, real: Features, prefix: str = "") -> dict[str, GroupScore]:
    """Compute precision, recall, density and coverage.

    Args:
        made: Features of the cell's images.
        real: Features of the reference's images.
        prefix: Beginning of the metrics' names.
    """
    from skewbench.eval.scoring.distribution import NEAREST, prdc

    n, fewest = len(made), min(len(made), len(real))
    if fewest <= NEAREST:
        few = GroupScore(None, f"{fewest} images; more than {NEAREST} are needed", n=n)
        return {f"{prefix}{name}": few for name in ("precision", "recall", "density", "coverage")}
    return {f"{prefix}{name}": GroupScore(value, n=n) for name, value in vars(prdc(made, real)).items()}


def metric(
    name: str, label: str, meaning: str, better: Better, low: float | None = 0.0, high: float | None = None
) -> Metric:
    """Declare a metric of a cell that does not grow with the number of images.

    Args:
        name: In the lake.
        label: For people.
        meaning: What the number says.
        better: Which side is better.
        low: Its lowest value, or None.
        high: Its highest value, or None.
    """
    return Metric(name=name, label=label, meaning=meaning, better=better, low=low, high=high, grows_with_n=False)
