"""Tiny models of packages in their environments: what each package makes of the same images and prompts."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skewbench.eval.environments import Environment
from skewbench.eval.environments.find import python_of
from skewbench.eval.environments.prepare import prepare
from skewbench.eval.environments.shared import shared_paths
from skewbench.eval.scorers import make
from skewbench.eval.weights.catalogue import Weights
from tests.conformance.row import Row

PROMPTS = ["a red circle", "a red circle", "a blue square, a green star", "star"]


def compare(folder: Path, scorer: str, environment: Environment, weights: Weights) -> list[Row]:
    """Score four images with a scorer, and with its package by a script `tiny_<scorer>.py` in the environment.

    The script finds `images.npy`, the images as `0.png` and so on, and `prompts.json` in the folder. It writes a
    checkpoint with random weights and the package's values, `values.json`.

    Args:
        folder: An empty folder for the checkpoint.
        scorer: Name of the scorer and of its metric.
        environment: Its environment, which is prepared if need be.
        weights: Its weights, which are then those of the folder.

    Raises:
        RuntimeError: The package failed.
    """
    path = prepare(environment)
    rng = np.random.default_rng(0)
    images = np.kron(rng.integers(0, 256, (len(PROMPTS), 4, 4, 3)), np.ones((1, 16, 16, 1))).astype(np.uint8)
    np.save(folder / "images.npy", images)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i}.png")
    (folder / "prompts.json").write_text(json.dumps(PROMPTS))
    script = str(Path(__file__).with_name(f"tiny_{scorer}.py"))
    command = [str(python_of(path)), "-I", script, str(folder), json.dumps(shared_paths())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the package {environment.package} failed: {done.stderr[-1000:]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(weights.variable, str(folder))
        ours = [score.value for score in make(scorer).score(images, PROMPTS)[scorer]]
    theirs = json.loads((folder / "values.json").read_text())
    shown = [f"image {i}, {prompt!r}" for i, prompt in enumerate(PROMPTS)]
    return [Row(*row) for row in zip(shown, ours, theirs, strict=True)]
