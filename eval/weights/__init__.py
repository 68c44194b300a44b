"""Weights that scorers need: what there is, whether it is on this machine, and how to get it."""

from skewbench.eval.weights.catalogue import WEIGHTS, Source, Weights
from skewbench.eval.weights.find import FOLDER, BadWeights, MissingWeights, find, folder, get, missing, path_of

__all__ = [
    "FOLDER",
    "WEIGHTS",
    "BadWeights",
    "MissingWeights",
    "Source",
    "Weights",
    "find",
    "folder",
    "get",
    "missing",
    "path_of",
]
