"""Weights that scorers need: the catalogue, and functions that find and download them."""

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
