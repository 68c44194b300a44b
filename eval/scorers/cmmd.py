"""CMMD: the maximum mean discrepancy of CLIP's features between a cell's images and real ones.

Jayasumana et al., "Rethinking FID: towards a better evaluation metric for image generation", CVPR 2024: unit features
of CLIP ViT-L/14 at 336 pixels, a Gaussian kernel of sigma 10, times 1,000. The estimate is the unbiased one; the
authors' released code also counts each image's pair with itself, which adds about 10 (1 - cosine) / n for each set of n
images with this mean cosine of pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.set_scores import SET, FeatureSets, discrepancy, metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.contract import GroupScore
    from skewbench.eval.scoring.distribution import Features
    from skewbench.eval.scoring.instances import Scorers

SIGMA, SCALE = 10.0, 1000.0


def cmmd(made: Features, real: Features, seed: int = 0) -> tuple[float, float]:
    """Compute CMMD and its standard error, in float64.

    Args:
        made: Features of generated images; shape (n, d). They are scaled to unit length.
        real: Features of reference images; shape (m, d).
        seed: Seed of the jackknife's groups.

    Returns:
        CMMD, which may be negative; and its standard error, NaN for too few images.
    """
    import numpy as np
    from scipy.spatial.distance import cdist

    from skewbench.eval.scoring.distribution import mmd

    first, second = (rows.astype(np.float64) / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (made, real))
    value, error = mmd(first, second, lambda x, y: np.exp(-cdist(x, y, "sqeuclidean") / (2 * SIGMA**2)), seed)
    return SCALE * value, SCALE * error


def compare(made: Features, real: Features) -> dict[str, GroupScore]:
    """Compute CMMD with its standard error.

    Args:
        made: Features of the generated images; shape (n, d).
        real: Features of the reference's images; shape (m, d).

    Returns:
        One score by metric.
    """
    return discrepancy("cmmd", made, real, cmmd)


@scorer(
    name="cmmd",
    version=1,
    unit="cell",
    medium="image",
    needs=["clip-vit-l-14-336"],
    set=SET,
    metrics=[
        metric("cmmd", "CMMD", "distance of the set of images to a reference set; less is better", "lower", low=None),
        metric("cmmd_error", "CMMD's error", "standard error of CMMD", "lower"),
    ],
)
def make(scorers: Scorers) -> FeatureSets:
    """Make the scorer with OpenAI's CLIP ViT-L/14 at 336 pixels.

    Args:
        scorers: The scorers of the process: the shared features.
    """
    return FeatureSets(scorers.features("clip_336"), compare)
