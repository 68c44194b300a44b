"""Scorers: image -> number, one a file. Every module here declares one or several and is imported to know their names.

`names()` lists them, `declaration(name)` says what one is, `make(name)` makes it, `Scorers` makes several that share.
"""

from skewbench.eval.scoring.contract import GroupScore, GroupScorer, ImageScorer, Score, Scorer, SetScorer, check_batch
from skewbench.eval.scoring.declaration import Declaration, declaration, names, problems, scorer, stored_metrics
from skewbench.eval.scoring.instances import Scorers, make
from skewbench.eval.weights.catalogue import Source, Weights
from skewbench.vocabulary.metrics import Metric

__all__ = [
    "Declaration",
    "GroupScore",
    "GroupScorer",
    "ImageScorer",
    "Metric",
    "Score",
    "Scorer",
    "Scorers",
    "SetScorer",
    "Source",
    "Weights",
    "check_batch",
    "declaration",
    "make",
    "names",
    "problems",
    "scorer",
    "stored_metrics",
]
