"""Judges whether an interval supports a published claim."""

from typing import Literal

Verdict = Literal["confirmed", "contradicted", "not enough data", "not applicable"]

LEAST = 10
"""Smallest number of samples, pairs or prompts for a verdict: fewer do not determine their spread by resampling."""


def judge(
    sign: int, low: float | None, high: float | None, n: int | None, prompts: int, margin: float | None = None
) -> Verdict:
    """Judge a claim about the sign of a number.

    Args:
        sign: The claimed sign, +1 or -1.
        low: Lower end of our interval, or None without one.
        high: Upper end of our interval, or None without one.
        n: Number of samples or pairs behind the number.
        prompts: Number of prompts behind the number.
        margin: For a claim of no harm: confirmed if the interval lies above -margin in the direction of `sign`,
            contradicted if it reaches below -margin and lies below 0.

    Returns:
        The verdict; `not enough data` without an interval, or for an n or number of prompts below `LEAST`.
    """
    if low is None or high is None or n is None or min(n, prompts) < LEAST:
        return "not enough data"
    if sign < 0:
        low, high = -high, -low
    if low > (0.0 if margin is None else -margin):
        return "confirmed"
    return "contradicted" if high < 0 else "not enough data"
