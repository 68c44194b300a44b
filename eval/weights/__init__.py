"""Weights that scorers need: what there is, whether it is on this machine, and how to get it."""

from eval.weights.catalogue import WEIGHTS, Source, Weights
from eval.weights.find import BadWeights, MissingWeights, check, find, get, missing, path_of

__all__ = ["WEIGHTS", "BadWeights", "MissingWeights", "Source", "Weights", "check", "find", "get", "missing", "path_of"]
