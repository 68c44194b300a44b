"""Estimates from the pairs of a trial and the baseline: the gain, and whether the bounds are kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from skewbench.eval.statistics import PairedChange, paired_change
from skewbench.tasks.tune.objective import Bound, Objective
from skewbench.vocabulary.errors import RunError

Feasible = Literal["yes", "unclear", "no"]
"""Whether a bound is kept: by the whole interval, by a part of it, or by none of it."""


@dataclass(frozen=True)
class Pairs:
    """A metric of a trial and the baseline at the same prompts and seeds.

    Args:
        prompts: Prompt of each pair.
        baseline: The baseline's values; shape (n).
        value: The trial's values, NaN if missing; shape (n).
        failed: Whether the value is missing because the image failed under the trial; shape (n).
    """

    prompts: tuple[str, ...]
    baseline: Float[np.ndarray, "n"]
    value: Float[np.ndarray, "n"]
    failed: Bool[np.ndarray, "n"]


def pooled(parts: Iterable[Pairs]) -> Pairs:
    """Join the pairs of several rounds, which use different prompts.

    Args:
        parts: The pairs of each round.
    """
    parts = [Pairs((), np.zeros(0), np.zeros(0), np.zeros(0, bool)), *parts]
    return Pairs(
        tuple(prompt for part in parts for prompt in part.prompts),
        np.concatenate([part.baseline for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.failed for part in parts]),
    )


@dataclass(frozen=True)
class Estimate:
    """A trial against the baseline.

    Args:
        gain: The mean paired change of the objective's metric; positive is better.
        slack: For each bound, the distance of the mean from the bound; negative if the bound is broken.
        failed: Pairs of the objective's metric whose image failed under the trial.
    """

    gain: PairedChange
    slack: tuple[PairedChange, ...]
    failed: int

    @property
    def feasible(self) -> Feasible:
        """Whether all bounds are kept; `yes` without bounds."""
        found = [_kept(slack) for slack in self.slack]
        return "no" if "no" in found else "unclear" if "unclear" in found else "yes"

    @property
    def tightest(self) -> int | None:
        """The bound that is closest to being broken, in standard errors; None without bounds."""
        if not self.slack:
            return None
        distance = [one.change / one.error if one.error > 0 else np.sign(one.change) * np.inf for one in self.slack]
        return int(np.argmin(distance))


def _kept(slack: PairedChange) -> Feasible:
    if not np.isfinite(slack.low):
        return "unclear"
    return "yes" if slack.low >= 0 else "no" if slack.high < 0 else "unclear"


def estimate(pairs: Mapping[str, Pairs], objective: Objective, level: float = 0.05) -> Estimate:
    """Estimate a trial from its pairs, with intervals clustered by prompt.

    A failed image counts with the worst value that the pairs have, so that a setting gains nothing by failing on hard
    prompts.

    Args:
        pairs: Pairs by metric.
        objective: The objective.
        level: Intervals have coverage 1 - level.

    Raises:
        RunError: A metric has no pairs, or a share of a baseline's mean is bounded that is not positive.
    """
    for metric in objective.metrics:
        if metric not in pairs or not len(pairs[metric].prompts):
            raise RunError(f"the baseline has no value of {metric} on the search's prompts; use another metric")
    found, side = pairs[objective.metric], objective.side
    gain = paired_change(side * found.baseline, side * _filled(found, side), np.asarray(found.prompts), level)
    slack = tuple(_slack(pairs[bound.metric], bound, level) for bound in objective.bounds)
    return Estimate(gain, slack, int(found.failed.sum()))


def _slack(pairs: Pairs, bound: Bound, level: float) -> PairedChange:
    if bound.share and not bound.offset and bound.share != 1 and pairs.baseline.mean() <= 0:
        raise RunError(
            f"the bound {bound} needs a positive mean of the baseline, which is {pairs.baseline.mean():.3g}; use "
            f"'{bound.metric} {'>=' if bound.side > 0 else '<='} baseline {'-' if bound.side > 0 else '+'} NUMBER'"
        )
    limit = bound.share * pairs.baseline + bound.offset
    return paired_change(bound.side * limit, bound.side * _filled(pairs, bound.side), np.asarray(pairs.prompts), level)


def _filled(pairs: Pairs, side: int) -> Float[np.ndarray, "n"]:
    """The trial's values, with the worst one of all in place of those that failed."""
    if not pairs.failed.any():
        return pairs.value
    every = np.concatenate([pairs.baseline, pairs.value[np.isfinite(pairs.value)]])
    return np.where(pairs.failed, every.min() if side > 0 else every.max(), pairs.value)


def best_first(estimates: Sequence[Estimate]) -> list[int]:
    """Order trials by the certainty that they keep the bounds, then by their gain.

    Args:
        estimates: The trials.

    Returns:
        Positions in `estimates`, the best first. Trials that break a bound are ordered by how far.
    """

    def key(at: int) -> tuple[int, float]:
        one = estimates[at]
        place = ("yes", "unclear", "no").index(one.feasible)
        return place, min(slack.change for slack in one.slack) * -1 if place == 2 else -one.gain.change

    return sorted(range(len(estimates)), key=key)
