"""A tiny CLIP with seeded random weights: the true architecture, saved as open_clip saves it."""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def tiny_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of the architecture."""
    torch.manual_seed(seed)
    return open_clip.CLIP(**CONFIG).state_dict()


def save_tiny_clip(folder: Path, seed: int = 0) -> Path:
    """A folder with configuration and weights."""
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {}}))
    save_file(tiny_state(seed), folder / "open_clip_model.safetensors")
    return folder
