"""A run against an earlier one: the verdict table that `compare` and the nightly flow show."""

from skewbench.tasks.regressions.compare import Comparison, compare, summary

__all__ = ["Comparison", "compare", "summary"]
