"""The verdict on one row of a comparison: the only place where it is decided. docs/nightly.md tells it in words."""

import math
from dataclasses import dataclass
from typing import Literal

from skewbench.vocabulary.verdicts import Verdict


@dataclass(frozen=True)
class Evidence:
    """What is known of one metric or measure of one cell, in two runs."""

    n: int
    """Pairs that have a value on both sides."""
    least_p: float
    """The smallest p that the test could have given."""
    change: float
    """Mean of the later run less the earlier one; NaN where it cannot be had."""
    q: float
    """p-value of no change, adjusted over the table; NaN where there is no test."""
    equivalence: float
    """p-value of the change not being within the margin; NaN where there is no margin or no test."""
    moved: int | None
    """Pairs that differ beyond rounding; None where device or versions differ, so that nothing can be said of it."""
    better: Literal["higher", "lower"] | None
    """Which side is better; None: neither."""
    tests: int = 1
    """Tests in the table: an effect that is alone among them needs a p of the level divided by so many."""
    nonfinite: int = 0
    """Pairs whose value was finite in the earlier run and is not in the later."""
    gone: int = 0
    """Of these, how many have no value at all in the later run, though the image is there."""
    lost: int = 0
    """Images that the later run lost, beyond those that the earlier one did."""
    newly_lost: int | None = None
    """Pairs that are lost in the later run alone: any counts. None: the row is not of lost images."""
    obstacle: str = ""
    """Why the row cannot be compared at all."""


def judge(evidence: Evidence, level: float) -> tuple[Verdict, str]:
    """The verdict and its reason, in words.

    First what needs no statistics: on the same device and versions nothing but rounding may differ. Then the effect:
    one that stands out at `level`, and that is not shown to be smaller than the margin.
    """
    if evidence.obstacle:
        return "not comparable", evidence.obstacle
    if not evidence.n:
        return "not comparable", "no pair of the same prompt, noise and size has a value in both runs"
    if evidence.nonfinite:
        return "worse" if evidence.better else "changed", _of_spoilt(evidence)
    if evidence.moved == 0:
        return "same", "equal to rounding, pair by pair"
    equivalent = evidence.equivalence <= level
    if evidence.newly_lost is not None and evidence.moved:
        return _of_lost(evidence.newly_lost, evidence.moved, evidence.better is not None)
    if evidence.q <= level and not equivalent:
        verdict = _side(evidence)
        if verdict == "better" and evidence.lost > 0:
            return "inconclusive", f"better over the images that are left, but {evidence.lost} more were lost"
        return verdict, "the effect stands out" + ("" if evidence.better else "; neither side of it is better")
    if evidence.moved:
        small = ", the effect is within the margin" if equivalent else ", no effect stands out"
        return "changed", f"{evidence.moved} of {evidence.n} pairs differ beyond rounding{small}"
    if equivalent:
        return "same", "within the margin"
    if math.isnan(evidence.q):
        return "inconclusive", "there is no test of it"
    if evidence.least_p > level:
        return "inconclusive", "too few prompts for any effect to stand out"
    if evidence.least_p * evidence.tests > level:
        return "inconclusive", f"too few prompts for one effect to stand out alone among {evidence.tests} tests"
    return "inconclusive", "no effect stands out, and none is ruled out"


def _of_spoilt(evidence: Evidence) -> str:
    broken = evidence.nonfinite - evidence.gone
    said = [f"{broken} values are not finite any more"] if broken else []
    said += [f"{evidence.gone} of {evidence.n} pairs have no value any more"] if evidence.gone else []
    return ", ".join(said)


def _of_lost(newly: int, moved: int, matters: bool) -> tuple[Verdict, str]:
    """One that is lost is not made up for by another that is back."""
    if newly:
        back = f", and {moved - newly} are back" if moved > newly else ""
        return "worse" if matters else "changed", f"lost in the later run alone: {newly}{back}"
    return "better" if matters else "changed", f"lost in the earlier run alone: {moved}"


def _side(evidence: Evidence) -> Verdict:
    if evidence.better is None:
        return "changed"
    return "better" if (evidence.change > 0) == (evidence.better == "higher") else "worse"
