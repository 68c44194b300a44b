"""Every network of features keeps the contract, and one of another package brings its own diversity scorers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from skewbench.eval.scorers import declaration, names
from skewbench.eval.scoring import remembered
from skewbench.eval.scoring.features import FEATURES, of_prompts
from skewbench.eval.scoring.remembered import Remembered, image_key
from skewbench.eval.weights import WEIGHTS
from tests.eval.scorers.tiny_features import TinyScorers


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyScorers:
    return TinyScorers(tmp_path_factory.mktemp("features"))


@pytest.mark.parametrize("name", FEATURES.names())
def test_features_of_images_of_any_size(name: str, tiny: TinyScorers) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 64), (80, 48), (64, 64))]
    network = tiny.features(name)
    found = network.images(images)
    assert found.dtype == torch.float32
    assert found.device.type == "cpu"
    assert found.shape[0] == 3
    assert torch.equal(network.images(images[::-1]), found.flip(0))
    assert torch.equal(network.images(np.stack(images[::2])), found[::2])
    assert network.images([]).shape == (0, found.shape[1])
    assert tiny.features(name) is network
    assert all(need in WEIGHTS or need == "torch_fidelity" for need in FEATURES.get(name).needs)


def test_each_that_is_for_prompts_has_all_diversity_scorers() -> None:
    endings = ("mss", "rke", "vendi_orders")
    for features in of_prompts():
        for ending in endings:
            declared = declaration(f"{features.name}_{ending}")
            assert declared.unit == "prompt"
            assert declared.needs == features.needs
    assert "inception_mss" not in names()


def test_rows_that_were_used_least_recently_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, computed = Remembered(), []

    def compute(rows: list[int]) -> torch.Tensor:
        computed.append(len(rows))
        return torch.arange(len(rows)).float()[:, None].expand(-1, 4)

    monkeypatch.setattr(remembered, "KEPT_BYTES", 3 * 4 * 4)
    memory.get([b"a", b"b", b"c", b"a"], compute)
    memory.get([b"a", b"d"], compute)  # forgets b
    memory.get([b"a", b"c", b"d"], compute)
    assert (computed, len(memory)) == ([3, 1], 3)
    memory.get([b"b"], compute)
    assert computed == [3, 1, 1]


def test_a_digest_tells_shapes_apart() -> None:
    flat = np.arange(24, dtype=np.uint8)
    assert image_key(flat.reshape(2, 4, 3)) != image_key(flat.reshape(4, 2, 3))
    assert image_key(flat.reshape(2, 4, 3)) == image_key(flat.reshape(2, 4, 3).copy())


THEIRS = """
import torch
from skewbench.eval.scoring.features import features

class Mean:
    def images(self, images):
        return torch.tensor([image.mean(axis=(0, 1)).tolist() for image in images]).reshape(-1, 3)

@features(name="mean_colour", label="mean colour", per_prompt=True)
def mean_colour(scorers):
    return Mean()
"""


def test_features_of_another_package_are_scored_by_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "their_features.py").write_text(THEIRS)
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[skewbench.features]\nmean_colour = their_features\n")
    code = (
        "import numpy as np\nfrom skewbench.eval.scorers import make, problems\n"
        "red, blue = (np.zeros((2, 4, 4, 3), np.uint8) for _ in range(2))\n"
        "red[..., 0], blue[..., 2] = 200, 200\nred[:, :2] = 0\nblue[:, :2] = 0\n"
        "two = np.concatenate([red[:1], blue[:1]])\n"
        "print(problems(), make('mean_colour_mss').score_group(two, None)['mean_colour_mss'].value)"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.stdout.split() == ["[]", "0.0"], done.stderr
