"""VQAScore: the scorer, and the package on files of the same images, on one tiny random checkpoint."""

from pathlib import Path

from skewbench.eval.scorers.vqascore import ENVIRONMENT, WEIGHTS
from tests.conformance import tiny
from tests.conformance.row import Row


def compare(folder: Path) -> list[Row]:
    """Score four images with both.

    Args:
        folder: An empty folder for the checkpoint.
    """
    return tiny.compare(folder, "vqascore", ENVIRONMENT, WEIGHTS)
