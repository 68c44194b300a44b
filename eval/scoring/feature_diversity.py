"""A number of the image features of a set, in the features of a CLIP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.images import Images

    UnitFeatures = Float[Tensor, "n d"]

SET = "the seeds of one prompt in one cell, without blank images"
"""Definition of the set, in words."""


class FeatureDiversity:
    """A number of the image features of a set. Blank images are left out: a black frame is not diverse.

    Args:
        name: Name of the metric.
        tower: The CLIP.
        measure: Unit features (n, d) of at least two images -> number.
    """

    def __init__(self, name: str, tower: ClipTower, measure: Callable[[UnitFeatures], float]) -> None:
        self.name, self._tower, self._measure = name, tower, measure

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        from skewbench.eval.scoring.images import is_blank

        rows = [i for i, image in enumerate(images) if not is_blank(image)]
        if len(rows) < 2:
            return {self.name: GroupScore(None, f"{len(rows)} images that are not blank; pairs need two", n=len(rows))}
        return {self.name: GroupScore(self._measure(self._tower.images(images[rows])), n=len(rows))}
