"""Mean similarity of pairs (MSS) of one prompt's images: the mean cosine of their features, which papers also report.

It does not grow with the number of images, and less is more diverse. For shapes-clip it is 1 - `shapes_clip_diversity`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET, FeatureDiversity
from skewbench.eval.scoring.features import FeaturesDeclaration, of_prompts
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.feature_diversity import UnitFeatures
    from skewbench.eval.scoring.instances import Scorers


def mean_similarity(features: UnitFeatures) -> float:
    """Compute the mean cosine over all unordered pairs.

    Args:
        features: Unit features of n >= 2 images; shape (n, d).

    Returns:
        Mean cosine, from -1 / (n - 1) (spread apart) to 1 (all equal).
    """
    cosines = features.double() @ features.double().T
    n = len(cosines)
    return float((cosines.sum() - cosines.trace()) / (n * (n - 1)))


def _declare(features: FeaturesDeclaration) -> None:
    name = f"{features.name}_mss"
    metric = Metric(
        name=name,
        label=f"MSS ({features.label})",
        meaning=f"mean similarity of pairs of a prompt's images for {features.label}; less is more diverse",
        better="lower",
        low=-1.0,
        high=1.0,
        grows_with_n=False,
    )

    @scorer(
        name=name,
        version=1,
        unit="prompt",
        medium="image",
        needs=features.needs,
        set=f"{SET}; mean cosine of pairs of {features.label} features",
        metrics=[metric],
    )
    def made(scorers: Scorers) -> FeatureDiversity:
        return FeatureDiversity(scorers.features(features.name), {name: mean_similarity})


for _features in of_prompts():
    _declare(_features)
