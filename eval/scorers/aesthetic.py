"""Aesthetic: the rating that people would give a picture, about 1 to 10; SDXL is at 5.6.

LAION's predictor v2 (Schuhmann, improved-aesthetic-predictor, `sac+logos+ava1-l14-linearMSE`): a small network on unit
CLIP features of OpenAI's ViT-L/14. It has no activation functions, so it is linear in the features.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from skewbench.eval.scorers.checkpoint import fill, read_tensors
from skewbench.eval.scorers.clip_tower import ClipTower
from skewbench.eval.scorers.contract import Images, Score, check_batch

_WIDTHS = (1024, 128, 64, 16)


class AestheticHead(nn.Module):
    """The predictor's layers, under the names that its checkpoint has. `width`: of the CLIP's features."""

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        first, second, third, fourth = _WIDTHS
        self.layers = nn.Sequential(
            nn.Linear(width, first), nn.Dropout(0.2),
            nn.Linear(first, second), nn.Dropout(0.2),
            nn.Linear(second, third), nn.Dropout(0.1),
            nn.Linear(third, fourth), nn.Linear(fourth, 1),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) -> (n,)"""
        return self.layers(features).squeeze(1)


class Aesthetic:
    """Predicted rating. Looks at the picture alone.

    Args:
        tower: The CLIP, which must be the one that the head was trained on.
        weights: The head's checkpoint, or a function that finds it when it is needed.
        needs: Names of both weights.
        width: Of the CLIP's features.
    """

    name = "aesthetic"
    version = 1
    metrics: tuple[str, ...] = ("aesthetic",)

    def __init__(
        self, tower: ClipTower, weights: Path | Callable[[], Path], needs: tuple[str, ...] = (), width: int = 768
    ) -> None:
        self.needs = needs
        self._tower, self._weights, self._width = tower, weights, width

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        if not prompts:
            return {"aesthetic": []}
        with torch.inference_mode():
            ratings = self._head(self._tower.images(images))
        return {"aesthetic": [Score(rating) for rating in ratings.tolist()]}

    @cached_property
    def _head(self) -> nn.Module:
        path = self._weights() if callable(self._weights) else self._weights
        return fill(AestheticHead(self._width), read_tensors(path), path)
