"""Networks of features of the smallest size, with seeded random weights, for scorers that share features."""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import Dinov2Config, Dinov2Model

from skewbench.eval.features.dinov2 import Dinov2
from skewbench.eval.features.dreamsim import DreamSim
from skewbench.eval.features.inception import Inception
from skewbench.eval.scorers import Scorers, declaration
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.scoring.features import ImageFeatures
from skewbench.eval.scoring.instances import CLIPS
from tests.eval.scorers.tiny_clip import save_tiny_clip
from tests.eval.scorers.tiny_dino import TINY, save_dreamsim
from tests.eval.scorers.tiny_inception import save_inception


def save_dinov2(folder: Path) -> Path:
    """A folder as that of DINOv2, whose network has two layers and 24 features."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
    Dinov2Model(Dinov2Config(**sizes, image_size=56, patch_size=14)).save_pretrained(folder)
    return folder


NETWORKS: dict[str, Callable[[Path], ImageFeatures]] = {
    "dinov2": lambda folder: Dinov2(save_dinov2(folder)),
    "dreamsim": lambda folder: DreamSim(save_dreamsim(folder), sizes=TINY),
    "inception": lambda folder: Inception(save_inception(folder / "inception.pth")),
}
"""Tiny networks by the name of their features."""
TOWERS = ("clip-vit-l-14", "clip-vit-l-14-336", "clip-vit-h-14")
"""CLIPs that have a tiny one."""
NEEDS = {"inception-2015-12-05", "dinov2-vit-l-14", "dreamsim-dino-vit-b-16", "torch_fidelity", *TOWERS}


def on_features(name: str) -> bool:
    """Whether a scorer needs weights, and none but those that tiny networks stand for."""
    needs = set(declaration(name).needs)
    return bool(needs - {"torch_fidelity"}) and needs <= NEEDS


class TinyScorers(Scorers):
    """The scorers of a process, on tiny networks."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def features(self, name: str) -> ImageFeatures:
        if name in NETWORKS and name not in self._features:
            self._features[name] = NETWORKS[name](self._folder / name)
        return super().features(name)

    def tower(self, weights: str) -> ClipTower:
        if weights in TOWERS and weights not in self._towers:
            self._towers[weights] = ClipTower(save_tiny_clip(self._folder / weights), resize=CLIPS[weights][1])
        return super().tower(weights)
