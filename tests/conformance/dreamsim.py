"""DreamSim: the network on transformers' ViT and the package `dreamsim`, on one random checkpoint."""

import json
import subprocess
from itertools import combinations
from pathlib import Path

import numpy as np

from skewbench.eval.environments import Environment
from skewbench.eval.environments.find import python_of
from skewbench.eval.environments.prepare import prepare
from skewbench.eval.environments.shared import shared_paths
from skewbench.eval.features.dreamsim import DreamSim
from tests.conformance.row import Row
from tests.eval.scorers.tiny_dino import TINY, save_dreamsim

ENVIRONMENT = Environment("dreamsim", pip=("dreamsim==0.2.1", "peft==0.21.2"), dependencies=False)
SIZES = TINY | {"num_hidden_layers": 12}  # the package reads block 11


def compare(folder: Path) -> list[Row]:
    """Compare the distances of all pairs of four images, and all numbers of their embeddings.

    Args:
        folder: An empty folder for the checkpoint.

    Raises:
        RuntimeError: The package failed.
    """
    path = prepare(ENVIRONMENT)
    save_dreamsim(folder, SIZES)
    rng = np.random.default_rng(0)
    images = np.kron(rng.integers(0, 256, (4, 8, 6, 3)), np.ones((1, 40, 32, 1))).astype(np.uint8)
    np.save(folder / "images.npy", images)
    script = str(Path(__file__).with_name("tiny_dreamsim.py"))
    command = [str(python_of(path)), "-I", script, str(folder), json.dumps(SIZES), json.dumps(shared_paths())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the package {ENVIRONMENT.package} failed: {done.stderr[-1000:]}")
    embeddings = DreamSim(folder, sizes=SIZES).images(images)
    ours = {
        f"distance of images {i} and {j}": 1 - float(embeddings[i] @ embeddings[j])
        for i, j in combinations(range(4), 2)
    }
    ours |= {f"image {i}, feature {j}": float(value) for i, row in enumerate(embeddings) for j, value in enumerate(row)}
    theirs = json.loads((folder / "values.json").read_text())
    return [Row(what, value, other) for (what, value), other in zip(ours.items(), theirs, strict=True)]
