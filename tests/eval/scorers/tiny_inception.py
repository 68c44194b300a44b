"""Inception with seeded random weights, saved as torch-fidelity's file has them. (It comes in one size.)"""

from pathlib import Path

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


def save_inception(path: Path, seed: int = 0) -> Path:
    """Save the network; its class wants a checkpoint to start from, and gets none."""
    torch.manual_seed(seed)
    made = FeatureExtractorInceptionV3.__new__(FeatureExtractorInceptionV3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: None)
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        made.__init__("inception", ["2048"], feature_extractor_weights_path="none")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(made.state_dict(), path)
    return path
