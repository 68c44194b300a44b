"""Scorers: image -> number. `names()` lists them, `scorer(name)` makes one, `Scorers` several that share."""

from skewbench.eval.scorers.contract import GroupScore, GroupScorer, ImageScorer, Score, Scorer, SetScorer
from skewbench.eval.scorers.registry import Scorers, names, scorer

__all__ = ["GroupScore", "GroupScorer", "ImageScorer", "Score", "Scorer", "Scorers", "SetScorer", "names", "scorer"]
