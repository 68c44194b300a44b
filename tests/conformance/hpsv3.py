"""HPSv3: the scorer, and the package used as its authors use it, on one tiny random checkpoint of the true classes."""

from pathlib import Path

from skewbench.eval.scorers.hpsv3 import ENVIRONMENT, WEIGHTS
from tests.conformance import tiny
from tests.conformance.row import Row


def compare(folder: Path) -> list[Row]:
    """Score four images with both.

    Args:
        folder: An empty folder for the checkpoint.
    """
    return tiny.compare(folder, "hpsv3", ENVIRONMENT, WEIGHTS)
