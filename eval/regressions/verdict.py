"""Decides the verdict on one row of a comparison. docs/nightly.md explains the rules."""

import math
from dataclasses import dataclass
from typing import Literal

from skewbench.vocabulary.verdicts import Verdict


@dataclass(frozen=True)
class Evidence:
    """The evidence about one metric or measure of one cell in two runs."""

    n: int
    """Pairs that have a value on both sides."""
    least_p: float
    """The smallest p that the test could have given."""
    change: float
    """Mean of the later run minus that of the earlier one; NaN if undefined."""
    q: float
    """p-value of no change, adjusted over the table; NaN without a test."""
    equivalence: float
    """p-value of the equivalence test: small if the change is within the margin; NaN without a margin or test."""
    moved: int | None
    """Pairs that differ beyond rounding; None if device or versions differ, so that it is unknown."""
    better: Literal["higher", "lower"] | None
    """The better side; None: neither side is better."""
    tests: int = 1
    """Number of tests in the table: a lone effect among them needs a p-value of the level divided by this number."""
    nonfinite: int = 0
    """Pairs whose value is finite in the earlier run but not in the later one."""
    disappeared: int = 0
    """Number of pairs without a value in the later run although the image exists."""
    failed: int = 0
    """Number of failed images in the later run minus that in the earlier run."""
    newly_failed: int | None = None
    """Pairs whose image failed only in the later run. None: the row is not about failed images."""
    obstacle: str = ""
    """The reason why the row cannot be compared; empty if it can."""


def judge(evidence: Evidence, level: float) -> tuple[Verdict, str]:
    """Decide the verdict on one row.

    Rules without statistics come first: on the same device and versions only rounding may differ. Then come effects
    that are significant at `level` and not shown to be within the margin.

    Args:
        evidence: The evidence for the row.
        level: Level of all tests.

    Returns:
        The verdict and its reason in words.
    """
    if evidence.obstacle:
        return "not comparable", evidence.obstacle
    if not evidence.n:
        return "not comparable", "no pair of the same prompt, noise and size has a value in both runs"
    if evidence.nonfinite:
        return "worse" if evidence.better else "changed", _of_nonfinite(evidence)
    if evidence.moved == 0:
        return "same", "all pairs are equal up to rounding"
    equivalent = evidence.equivalence <= level
    if evidence.newly_failed is not None and evidence.moved:
        return _of_failed(evidence.newly_failed, evidence.moved, evidence.better is not None)
    if evidence.q <= level and not equivalent:
        verdict = _side(evidence)
        if verdict == "better" and evidence.failed > 0:
            return "inconclusive", f"better over the remaining images, but {evidence.failed} more failed"
        return verdict, "the effect is significant" + ("" if evidence.better else "; neither side is better")
    if evidence.moved:
        small = ", the effect is within the margin" if equivalent else ", no effect is significant"
        return "changed", f"{evidence.moved} of {evidence.n} pairs differ beyond rounding{small}"
    if equivalent:
        return "same", "within the margin"
    if math.isnan(evidence.q):
        return "inconclusive", "there is no test for it"
    if evidence.least_p > level:
        return "inconclusive", "too few prompts for any effect to be significant"
    if evidence.least_p * evidence.tests > level:
        return "inconclusive", f"too few prompts for a single effect to be significant among {evidence.tests} tests"
    return "inconclusive", "no effect is significant, but an effect cannot be excluded"


def _of_nonfinite(evidence: Evidence) -> str:
    broken = evidence.nonfinite - evidence.disappeared
    reasons = [f"{broken} values are no longer finite"] if broken else []
    reasons += [f"{evidence.disappeared} of {evidence.n} pairs no longer have a value"] if evidence.disappeared else []
    return ", ".join(reasons)


def _of_failed(newly: int, moved: int, matters: bool) -> tuple[Verdict, str]:
    """Judge failed images. A newly failed image is not offset by one that no longer fails."""
    if newly:
        back = f", and {moved - newly} no longer fail" if moved > newly else ""
        return "worse" if matters else "changed", f"{newly} failed only in the later run{back}"
    return "better" if matters else "changed", f"{moved} failed only in the earlier run"


def _side(evidence: Evidence) -> Verdict:
    if evidence.better is None:
        return "changed"
    return "better" if (evidence.change > 0) == (evidence.better == "higher") else "worse"
