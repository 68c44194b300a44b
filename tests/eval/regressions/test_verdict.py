"""The verdict, corner by corner."""

import math

import pytest

from skewbench.eval.regressions import Evidence, judge

NAN = math.nan
LOST: dict[str, object] = {"better": "lower", "q": 1.0}


def _evidence(**known: object) -> Evidence:
    fields = {"n": 40, "least_p": 1e-5, "change": -0.1, "q": 0.5, "equivalence": NAN, "moved": None, "better": "higher"}
    return Evidence(**{**fields, **known})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "verdict", "reason"),
    [
        ({"obstacle": "the knob differs"}, "not comparable", "the knob differs"),
        ({"n": 0}, "not comparable", "no pair"),
        # on the same device and versions
        ({"moved": 0, "q": NAN}, "same", "all pairs are equal up to rounding"),
        ({"moved": 3}, "changed", "3 of 40 pairs differ beyond rounding, no effect is significant"),
        ({"moved": 40, "q": 0.001, "equivalence": 0.001}, "changed", "within the margin"),
        ({"moved": 40, "q": 0.001}, "worse", "is significant"),
        ({"moved": 40, "q": 0.001, "equivalence": 0.4}, "worse", "is significant"),
        ({"moved": 40, "q": 0.001, "change": 0.1}, "better", "is significant"),
        ({"moved": 40, "q": 0.001, "better": None}, "changed", "neither side"),
        ({"moved": 40, "n": 40, "least_p": 1.0, "q": 1.0}, "changed", "40 of 40"),
        # on another one
        ({"q": 0.001, "better": "lower"}, "better", "is significant"),
        ({"q": 0.001, "equivalence": 0.001}, "same", "within the margin"),
        ({"q": 0.5, "equivalence": 0.001}, "same", "within the margin"),
        ({"q": 0.5, "equivalence": 0.3}, "inconclusive", "an effect cannot be excluded"),
        ({"q": 0.5}, "inconclusive", "an effect cannot be excluded"),
        ({"least_p": 1.0, "q": 1.0}, "inconclusive", "too few prompts"),
        ({"least_p": 5e-4, "tests": 60, "q": 0.03}, "inconclusive", "a single effect to be significant among 60 tests"),
        ({"nonfinite": 2, "q": NAN}, "worse", "2 values are no longer finite"),
        ({"nonfinite": 2, "q": NAN, "better": None}, "changed", "2 values are no longer finite"),
        ({"nonfinite": 8, "disappeared": 8, "moved": 8}, "worse", "8 of 40 pairs no longer have a value"),
        (
            {"nonfinite": 9, "disappeared": 8},
            "worse",
            "1 values are no longer finite, 8 of 40 pairs no longer have a value",
        ),
        ({"q": NAN, "change": NAN}, "inconclusive", "no test"),
        # failed images
        ({"q": 0.001, "change": 0.1, "failed": 2}, "inconclusive", "but 2 more failed"),
        ({"q": 0.001, "failed": 2}, "worse", "is significant"),
        (LOST | {"moved": 1, "newly_failed": 1, "change": 0.01}, "worse", "1 failed only in the later run"),
        (
            LOST | {"moved": 2, "newly_failed": 1, "change": 0.0},
            "worse",
            "1 failed only in the later run, and 1 no longer fail",
        ),
        (LOST | {"moved": 1, "newly_failed": 0, "change": -0.01}, "better", "1 failed only in the earlier run"),
        (LOST | {"moved": 2, "newly_failed": 1, "better": None}, "changed", "failed only in the later run"),
        (LOST | {"newly_failed": 1, "change": 0.01}, "inconclusive", "an effect cannot be excluded"),
    ],
)
def test_verdicts(known: dict[str, object], verdict: str, reason: str) -> None:
    found, why = judge(_evidence(**known), level=0.01)
    assert (found, reason in why) == (verdict, True), why
