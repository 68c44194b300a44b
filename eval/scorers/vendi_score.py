"""The Vendi score: the effective number of distinct items of a set.

Friedman and Dieng, "The Vendi Score: a diversity evaluation metric for machine learning", TMLR 2023: the exponential of
the entropy of the eigenvalues of K / n, where K is a positive semidefinite kernel with ones on its diagonal. Here K is
the cosine of unit features. 1 for n copies, n for n orthogonal features; it grows with n, so compare within one n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET, FeatureDiversity
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.instances import Scorers


def vendi_score(features: Float[Tensor, "n d"]) -> float:
    """Compute the Vendi score of unit features, in float64: eigenvalues near 0 are differences of large sums.

    Args:
        features: Unit features; shape (n, d).

    Returns:
        Effective number of distinct images, 1..n.
    """
    import torch

    kernel = features.double() @ features.double().T
    shares = torch.linalg.eigvalsh(kernel / len(kernel)).clamp_min(0.0)
    return float(torch.special.entr(shares).sum().exp())


@scorer(
    name="vendi_score",
    version=2,  # 1 was of earlier weights
    unit="prompt",
    medium="image",
    set=f"{SET}; cosine kernel on shapes-clip features",
    metrics=[
        Metric(
            name="vendi_score",
            label="Vendi",
            meaning="effective number of distinct images of a prompt, 1 to n",
            better="higher",
            low=1.0,
            high=None,
            grows_with_n=True,
            rank=40,
        )
    ],
)
def shapes_clip_vendi(scorers: Scorers) -> FeatureDiversity:
    """Make the scorer: Vendi score of shapes-clip features.

    Args:
        scorers: The scorers of the process: the shared CLIP.
    """
    return FeatureDiversity("vendi_score", scorers.tower("shapes-clip"), vendi_score)
