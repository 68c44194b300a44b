"""The answers of a run with their bootstrap intervals, for the table `analysis`."""

from skewbench.tasks.analyse.answers import analyse

__all__ = ["analyse"]
