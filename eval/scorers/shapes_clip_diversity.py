"""Diversity of one prompt's images in the features of the bundled CLIP: mean cosine distance of their pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scorers.mean_similarity import mean_similarity
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET, FeatureDiversity
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.feature_diversity import UnitFeatures
    from skewbench.eval.scoring.instances import Scorers


def mean_pairwise_distance(features: UnitFeatures) -> float:
    """Compute 1 - mean cosine over all unordered pairs.

    Args:
        features: Unit features of n >= 2 images; shape (n, d).

    Returns:
        Mean cosine distance, from 0 (all equal) to n / (n - 1) (spread apart).
    """
    return 1 - mean_similarity(features)


@scorer(
    name="shapes_clip_diversity",
    version=2,  # 1 was of earlier weights
    unit="prompt",
    medium="image",
    set=f"{SET}; mean cosine distance of pairs of shapes-clip features",
    metrics=[
        Metric(
            name="shapes_clip_diversity",
            label="shapes-clip diversity",
            meaning="distance between a prompt's images for the bundled CLIP, 0 to n / (n − 1)",
            better="higher",
            low=0.0,
            high=2.0,
            grows_with_n=False,
            rank=30,
        )
    ],
)
def shapes_clip_diversity(scorers: Scorers) -> FeatureDiversity:
    """Make the scorer: mean pairwise cosine distance of shapes-clip features.

    Args:
        scorers: The scorers of the process: the shared CLIP.
    """
    return FeatureDiversity(scorers.features("shapes_clip"), {"shapes_clip_diversity": mean_pairwise_distance})
