"""HPSv3: the scorer, and the package used as its authors use it, on one tiny random checkpoint of the true classes."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from skewbench.eval.environments.find import python_of
from skewbench.eval.environments.prepare import prepare
from skewbench.eval.environments.shared import shared_paths
from skewbench.eval.scorers import make
from skewbench.eval.scorers.hpsv3 import ENVIRONMENT, WEIGHTS
from tests.conformance.row import Row

PROMPTS = ["a red circle", "a red circle", "a blue square, a green star", "star"]


def compare(folder: Path) -> list[Row]:
    """Score four images with both.

    Args:
        folder: An empty folder for the checkpoint.
    """
    path = prepare(ENVIRONMENT)
    rng = np.random.default_rng(0)
    images = np.kron(rng.integers(0, 256, (len(PROMPTS), 4, 4, 3)), np.ones((1, 16, 16, 1))).astype(np.uint8)
    np.save(folder / "images.npy", images)
    (folder / "prompts.json").write_text(json.dumps(PROMPTS))
    script = str(Path(__file__).with_name("tiny_hpsv3.py"))
    command = [str(python_of(path)), "-I", script, str(folder), json.dumps(shared_paths())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the package hpsv3 failed: {done.stderr[-1000:]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WEIGHTS.variable, str(folder))
        ours = [score.value for score in make("hpsv3").score(images, PROMPTS)["hpsv3"]]
    theirs = json.loads((folder / "rewards.json").read_text())
    shown = [f"image {i}, {prompt!r}" for i, prompt in enumerate(PROMPTS)]
    return [Row(*row) for row in zip(shown, ours, theirs, strict=True)]
