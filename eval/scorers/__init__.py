"""Scorers: image -> number. `scorer(name)` makes one, `names()` lists them, `contract` says what one is."""

from eval.scorers.contract import GroupScore, GroupScorer, ImageScorer, Score, Scorer
from eval.scorers.registry import names, scorer

__all__ = ["GroupScore", "GroupScorer", "ImageScorer", "Score", "Scorer", "names", "scorer"]
