"""Diversity of a prompt's images: numbers of the set of their features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.features import ImageFeatures
    from skewbench.eval.scoring.images import Images

    UnitFeatures = Float[Tensor, "n d"]

SET = "the seeds of one prompt in one cell, without blank images"
"""Definition of the set, in words."""


class FeatureDiversity:
    """Numbers of the image features of a set. Blank images are left out: a black frame is not diverse.

    Args:
        features: The network.
        measures: By metric, unit features (n, d) of at least two images -> number.
    """

    def __init__(self, features: ImageFeatures, measures: Mapping[str, Callable[[UnitFeatures], float]]) -> None:
        self.measures, self._features = dict(measures), features

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        from torch.nn.functional import normalize

        from skewbench.eval.scoring.images import is_blank

        rows = [i for i, image in enumerate(images) if not is_blank(image)]
        if len(rows) < 2:
            few = GroupScore(None, f"{len(rows)} images that are not blank; pairs need two", n=len(rows))
            return dict.fromkeys(self.measures, few)
        unit = normalize(self._features.images(images[rows]), dim=1)
        return {name: GroupScore(measure(unit), n=len(rows)) for name, measure in self.measures.items()}
