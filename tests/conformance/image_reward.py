"""ImageReward: the port on transformers' BLIP and the package `image-reward`, on one random checkpoint."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from skewbench.eval.scorers import Scorers
from skewbench.eval.scoring.blip_reward import _INSIDE, _RENAMED, TEXT, VISION, ImageRewardModel, renamed
from skewbench.eval.weights import WEIGHTS
from tests.conformance.row import Row
from tests.eval.scorers.tiny_weights import VOCABULARY

PROMPTS = ["a red circle", "a blue square, a green star", "star", "red " * 60]


def compare(folder: Path) -> list[Row]:
    """Score four images of four sizes with both.

    Args:
        folder: An empty folder for the checkpoint, of 1.8 GB.
    """
    save_checkpoint(folder)
    rng = np.random.default_rng(0)
    sizes = [(224, 224), (256, 192), (96, 128), (300, 300)]
    images = [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((h // 8, w // 8, 1))).astype(np.uint8) for h, w in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WEIGHTS["image-reward-v1"].variable, str(folder))
        scorers = Scorers()
        names = ("image_reward", "image_reward_package")
        values = {
            name: [scorers.get(name).score(image[None], [prompt])[name][0].value for image, prompt in _pairs(images)]
            for name in names
        }
    shown = [f"{h} x {w}, {prompt[:30]!r}" for (h, w), prompt in zip(sizes, PROMPTS, strict=True)]
    return [Row(*row) for row in zip(shown, *values.values(), strict=True)]


def _pairs(images: list[np.ndarray]) -> list[tuple[np.ndarray, str]]:
    return list(zip(images, PROMPTS, strict=True))


def save_checkpoint(folder: Path) -> None:
    """Write a checkpoint of the true size with random weights under the authors' names, and a vocabulary."""
    torch.manual_seed(0)
    model = ImageRewardModel(TEXT, VISION)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embedding" not in name and parameter.dim() > 1:
                parameter.mul_(2)  # else every image has nearly one reward
    state = authors_names(model.state_dict())
    state |= {"blip.vision_proj.weight": torch.randn(256, 1024), "blip.vision_proj.bias": torch.randn(256)}
    state |= {"blip.text_proj.weight": torch.randn(256, 768), "blip.text_proj.bias": torch.randn(256)}
    torch.save(state, folder / "ImageReward.pt")
    (folder / "vocab.txt").write_text(os.linesep.join(VOCABULARY))


def authors_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo `renamed`: the authors' name of each tensor of the port."""
    found = {}
    for name, tensor in state.items():
        if name.endswith("position_ids"):
            continue
        theirs = next(theirs for theirs, ours in _RENAMED.items() if name.startswith(ours))
        rest = name.removeprefix(_RENAMED[theirs])
        if theirs.startswith("blip.visual_encoder"):
            for inside, ours in _INSIDE.items():
                if ours in rest:
                    rest = rest.replace(ours, inside)
                    break
        found[theirs + rest] = tensor
    assert renamed(found).keys() == {name for name in state if not name.endswith("position_ids")}
    return found
