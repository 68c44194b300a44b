"""Networks of features of the smallest size, with seeded random weights, for scorers that share features."""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import Dinov2Config, Dinov2Model

from skewbench.eval.features.dinov2 import Dinov2
from skewbench.eval.features.inception import Inception
from skewbench.eval.scorers import Scorers, declaration
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.scoring.features import FEATURES, ImageFeatures
from tests.eval.scorers.tiny_clip import save_tiny_clip
from tests.eval.scorers.tiny_inception import save_inception


def save_dinov2(folder: Path) -> Path:
    """A folder as that of DINOv2, whose network has two layers and 24 features."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
    Dinov2Model(Dinov2Config(**sizes, image_size=56, patch_size=14)).save_pretrained(folder)
    return folder


NETWORKS: dict[str, Callable[[Path], ImageFeatures]] = {
    **{
        name: lambda folder, resize=resize: ClipTower(save_tiny_clip(folder), resize=resize)
        for name, resize in (("clip", "shortest"), ("open_clip", "shortest"), ("clip_336", "squash"))
    },
    "dinov2": lambda folder: Dinov2(save_dinov2(folder)),
    "inception": lambda folder: Inception(save_inception(folder / "inception.pth")),
}
"""Tiny networks by the name of their features."""


def on_features(name: str) -> bool:
    """Whether a scorer needs what features with a tiny network need, and nothing else."""
    needs = set(declaration(name).needs) - {"torch_fidelity"}
    return any(needs == set(FEATURES.get(features).needs) - {"torch_fidelity"} for features in NETWORKS)


class TinyScorers(Scorers):
    """The scorers of a process, on tiny networks."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def features(self, name: str) -> ImageFeatures:
        if name in NETWORKS and name not in self._features:
            self._features[name] = NETWORKS[name](self._folder / name)
        return super().features(name)
