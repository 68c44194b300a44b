"""Whether an interval bears a claim out."""

from typing import Literal

Verdict = Literal["confirmed", "contradicted", "not enough data", "not applicable"]

LEAST = 10
"""A verdict is not given for fewer samples, pairs or prompts: resampling so few tells little of their spread."""


def judge(
    sign: int, low: float | None, high: float | None, n: int | None, prompts: int, margin: float | None = None
) -> Verdict:
    """The verdict on a number that was claimed to have this sign.

    Args:
        sign: +1 or -1.
        low, high: of our number's interval; None where there is none, which bears out nothing.
        n, prompts: how many samples or pairs the number is of, and of how many prompts.
        margin: for a claim of no harm: confirmed where the interval lies above -margin, in the direction of `sign`;
            contradicted where it reaches below that and lies below 0.
    """
    if low is None or high is None or n is None or min(n, prompts) < LEAST:
        return "not enough data"
    if sign < 0:
        low, high = -high, -low
    if low > (0.0 if margin is None else -margin):
        return "confirmed"
    return "contradicted" if high < 0 else "not enough data"
