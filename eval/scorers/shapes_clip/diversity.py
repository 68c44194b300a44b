"""Diversity of one prompt's images, in the features of a CLIP: how far apart they are, and how many they amount to."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from skewbench.eval.scorers.clip_tower import ClipTower
from skewbench.eval.scorers.contract import GroupScore, Images
from skewbench.eval.scorers.images import is_blank
from skewbench.eval.scorers.vendi import vendi_score

UnitFeatures = Float[Tensor, "n d"]


def mean_pairwise_distance(features: UnitFeatures) -> float:
    """1 - mean cosine over the unordered pairs of n >= 2 unit features: 0 (all alike) to n / (n - 1) (spread apart)."""
    cosines = features.double() @ features.double().T
    n = len(cosines)
    return float(1 - (cosines.sum() - cosines.trace()) / (n * (n - 1)))


class FeatureDiversity:
    """A number of the image features of a set. Blank images are left out: a black frame is not diverse.

    Args:
        name: The scorer's name, and that of its metric.
        tower: The CLIP.
        measure: Unit features of at least two images -> number.
        definition: What the number is, in words; it joins the set's definition.
    """

    version = 2  # 1 was of earlier weights
    needs: tuple[str, ...] = ()

    def __init__(self, name: str, tower: ClipTower, measure: Callable[[UnitFeatures], float], definition: str) -> None:
        self.name = name
        self.metrics: tuple[str, ...] = (name,)
        self.set = f"the seeds of one prompt in one cell, without blank images; {definition}"
        self._tower, self._measure = tower, measure

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        rows = [i for i, image in enumerate(images) if not is_blank(image)]
        if len(rows) < 2:
            return {self.name: GroupScore(None, f"{len(rows)} images that are not blank; pairs need two", n=len(rows))}
        return {self.name: GroupScore(self._measure(self._tower.images(images[rows])), n=len(rows))}


def shapes_clip_diversity(tower: ClipTower) -> FeatureDiversity:
    """Mean pairwise cosine distance in shapes-clip features."""
    return FeatureDiversity(
        "shapes_clip_diversity", tower, mean_pairwise_distance, "mean cosine distance of pairs of shapes-clip features"
    )


def shapes_clip_vendi(tower: ClipTower) -> FeatureDiversity:
    """Vendi score of shapes-clip features."""
    return FeatureDiversity("vendi_score", tower, vendi_score, "cosine kernel on shapes-clip features")
