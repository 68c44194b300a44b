"""The Vendi score: the effective number of distinct items of a set.

Friedman and Dieng, "The Vendi Score: a diversity evaluation metric for machine learning", TMLR 2023: the exponential of
the entropy of the eigenvalues of K / n, where K is a positive semidefinite kernel with ones on its diagonal. Here K is
the cosine of unit features. 1 for n copies, n for n orthogonal features; it grows with n, so compare within one n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET, FeatureDiversity
from skewbench.eval.scoring.features import FeaturesDeclaration, of_prompts
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

    return float(torch.special.entr(kernel_shares(features)).sum().exp())


def kernel_shares(features: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Compute the eigenvalues of the cosine kernel divided by n, in float64.

    Args:
        features: Unit features; shape (n, d).

    Returns:
        Eigenvalues, at least 0, which add up to 1; shape (n,).
    """
    import torch

    kernel = features.double() @ features.double().T
    return torch.linalg.eigvalsh(kernel / len(kernel)).clamp_min(0.0)


def _declare(features: FeaturesDeclaration) -> None:
    bundled = features.name == "shapes_clip"
    name = "vendi_score" if bundled else f"{features.name}_vendi_score"
    metric = Metric(
        name=name,
        label="Vendi" if bundled else f"Vendi ({features.label})",
        meaning="effective number of distinct images of a prompt, 1 to n",
        better="higher",
        low=1.0,
        high=None,
        grows_with_n=True,
        rank=40 if bundled else None,
    )

    @scorer(
        name=name,
        version=2 if bundled else 1,  # 1 of the bundled one was of earlier weights
        unit="prompt",
        medium="image",
        needs=features.needs,
        set=f"{SET}; cosine kernel on {features.label} features",
        metrics=[metric],
    )
    def made(scorers: Scorers) -> FeatureDiversity:
        return FeatureDiversity(scorers.features(features.name), {name: vendi_score})


for _features in of_prompts():
    _declare(_features)
