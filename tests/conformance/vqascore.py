"""VQAScore: the scorer, and the package on files of the same images, on one tiny random checkpoint."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skewbench.eval.environments.find import python_of
from skewbench.eval.environments.prepare import prepare
from skewbench.eval.environments.shared import shared_paths
from skewbench.eval.scorers import make
from skewbench.eval.scorers.vqascore import ENVIRONMENT, WEIGHTS
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
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i}.png")
    (folder / "prompts.json").write_text(json.dumps(PROMPTS))
    script = str(Path(__file__).with_name("tiny_vqascore.py"))
    command = [str(python_of(path)), "-I", script, str(folder), json.dumps(shared_paths())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the package t2v-metrics failed: {done.stderr[-1000:]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WEIGHTS.variable, str(folder))
        ours = [score.value for score in make("vqascore").score(images, PROMPTS)["vqascore"]]
    theirs = json.loads((folder / "scores.json").read_text())
    shown = [f"image {i}, {prompt!r}" for i, prompt in enumerate(PROMPTS)]
    return [Row(*row) for row in zip(shown, ours, theirs, strict=True)]
