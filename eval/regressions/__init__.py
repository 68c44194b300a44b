"""Decides whether a build changed anything for the worse: pairs of two runs -> evidence -> verdicts, row by row."""

from skewbench.eval.regressions.rounding import IMAGE_LEVELS, beyond_rounding, tolerance
from skewbench.eval.regressions.table import Margin, judged
from skewbench.eval.regressions.verdict import Evidence, judge

__all__ = [
    "IMAGE_LEVELS",
    "Evidence",
    "Margin",
    "beyond_rounding",
    "judge",
    "judged",
    "tolerance",
]
