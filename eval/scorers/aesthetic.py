"""Aesthetic: predicted human rating of an image, about 1 to 10; SDXL is at 5.6.

LAION's predictor v2 (Schuhmann, improved-aesthetic-predictor, `sac+logos+ava1-l14-linearMSE`): a small network on unit
CLIP features of OpenAI's ViT-L/14. It has no activation functions, so it is linear in the features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import path_of
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from torch import nn

    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers


class Aesthetic:
    """Predict the rating from the image only.

    Args:
        tower: The CLIP, which must be the one that the head was trained on.
        weights: The head's checkpoint, or a function that finds it when it is needed.
        width: Of the CLIP's features.
    """

    def __init__(self, tower: ClipTower, weights: Path | Callable[[], Path], width: int = 768) -> None:
        self._tower, self._weights, self._width = tower, weights, width

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch

        check_batch(images, prompts)
        if not prompts:
            return {"aesthetic": []}
        with torch.inference_mode():
            ratings = self._head(self._tower.images(images))
        return {"aesthetic": [Score(rating) for rating in ratings.tolist()]}

    @cached_property
    def _head(self) -> nn.Module:
        from skewbench.eval.scoring.aesthetic_head import AestheticHead
        from skewbench.eval.scoring.checkpoint import fill, read_tensors

        path = self._weights() if callable(self._weights) else self._weights
        return fill(AestheticHead(self._width), read_tensors(path), path)


@scorer(
    name="aesthetic",
    version=1,
    unit="sample",
    medium="image",
    needs=["clip-vit-l-14", "aesthetic-v2"],
    metrics=[
        Metric(
            name="aesthetic",
            label="Aesthetic",
            meaning="predicted human rating, about 1 to 10",
            better="higher",
            low=None,
            high=None,
            grows_with_n=False,
            rank=30,
        )
    ],
)
def aesthetic(scorers: Scorers) -> Aesthetic:
    """Make the scorer with LAION's predictor on OpenAI's ViT-L/14.

    Args:
        scorers: The scorers of the process: shared CLIPs and the device.
    """
    return Aesthetic(scorers.tower("clip-vit-l-14"), partial(path_of, "aesthetic-v2"))
