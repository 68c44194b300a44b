"""RKE: the effective number of modes by Rényi kernel entropy of order 2.

Jalali, Li and Farnia, "An information-theoretic evaluation of generative models in learning multi-modal distributions",
NeurIPS 2023: 1 / ||K / n||_F^2 with a Gaussian kernel K. With the cosine kernel the same formula is the Vendi score of
order 2 (`vendi_orders`); the Gaussian one forgets features that are further apart than its bandwidth.
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

BANDWIDTH = 0.5
"""Sigma of the kernel on unit features: images at a cosine of 0.8 are 45% alike, at 0.5 14%."""


def rke(features: Float[Tensor, "n d"], bandwidth: float = BANDWIDTH) -> float:
    """Compute the effective number of modes, in float64.

    Args:
        features: Unit features; shape (n, d).
        bandwidth: Sigma of the Gaussian kernel.

    Returns:
        Effective number of modes, 1..n.
    """
    import torch

    rows = features.double()
    kernel = torch.exp(
        -(torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist") ** 2) / (2 * bandwidth**2)
    )
    return float(len(kernel) ** 2 / (kernel**2).sum())


def _declare(features: FeaturesDeclaration) -> None:
    name = f"{features.name}_rke"
    metric = Metric(
        name=name,
        label=f"RKE ({features.label})",
        meaning="effective number of modes of a prompt's images, 1 to n",
        better="higher",
        low=1.0,
        high=None,
        grows_with_n=True,
    )

    @scorer(
        name=name,
        version=1,
        unit="prompt",
        medium="image",
        needs=features.needs,
        set=f"{SET}; Gaussian kernel of bandwidth {BANDWIDTH:g} on unit {features.label} features",
        metrics=[metric],
    )
    def made(scorers: Scorers) -> FeatureDiversity:
        return FeatureDiversity(scorers.features(features.name), {name: rke})


for _features in of_prompts():
    _declare(_features)
