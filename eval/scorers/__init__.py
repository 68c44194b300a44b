"""Scorers, one file each: image -> number. Every module here declares scorers and is imported to find their names.

`names()` lists them, `declaration(name)` returns what one declares, `make(name)` makes one, and `Scorers` makes several
that share models.
"""

from skewbench.eval.environments import Environment
from skewbench.eval.scoring.contract import GroupScore, GroupScorer, SampleScorer, Score, Scorer, SetScorer, check_batch
from skewbench.eval.scoring.declaration import Declaration, declaration, names, problems, scorer, stored_metrics
from skewbench.eval.scoring.instances import Scorers, make
from skewbench.eval.weights.catalogue import Source, Weights
from skewbench.vocabulary.metrics import Metric

__all__ = [
    "Declaration",
    "Environment",
    "GroupScore",
    "GroupScorer",
    "Metric",
    "SampleScorer",
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
