"""The verdicts of a comparison of two runs."""

from typing import Literal, get_args

Verdict = Literal["worse", "changed", "better", "inconclusive", "not comparable", "same"]
"""Verdicts of a comparison on one metric or measure of one cell, in order of urgency."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""All verdicts, the most urgent first: the order in which rows are shown."""
