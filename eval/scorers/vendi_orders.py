"""Vendi scores of other orders than 1: small orders count rare images nearly as much as common ones, large ones do not.

Pasarkar and Dieng, "Cousins of the Vendi Score", AISTATS 2024: (sum of lambda^q)^(1 / (1 - q)) for the eigenvalues
lambda of K / n, with the limits exp(entropy) at q = 1 (`vendi_score`) and 1 / max(lambda) at q = inf. K is the cosine
of unit features.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING

from skewbench.eval.scorers.vendi_score import kernel_shares, vendi_score
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET, FeatureDiversity
from skewbench.eval.scoring.features import FeaturesDeclaration, of_prompts
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.instances import Scorers

ORDERS = {"q0_1": 0.1, "q0_5": 0.5, "q2": 2.0, "qinf": inf}
"""Orders by the ending of their metrics."""
LEAST_SHARE = 1e-10
"""Eigenvalues below this are rounding, which an order near 0 would count as images: 1e-16 to the power 0.1 is 0.03."""


def vendi_of_order(features: Float[Tensor, "n d"], order: float) -> float:
    """Compute the Vendi score of an order.

    Args:
        features: Unit features; shape (n, d).
        order: The order q, above 0; `inf` is allowed.

    Returns:
        Effective number of distinct images, 1..n; it falls as the order rises.
    """
    if order == 1:
        return vendi_score(features)
    shares = kernel_shares(features)
    if order == inf:
        return float(1 / shares.max())
    return float((shares[shares > LEAST_SHARE] ** order).sum() ** (1 / (1 - order)))


def _declare(features: FeaturesDeclaration) -> None:
    metrics = {f"{features.name}_vendi_{ending}": order for ending, order in ORDERS.items()}

    @scorer(
        name=f"{features.name}_vendi_orders",
        version=1,
        unit="prompt",
        medium="image",
        needs=features.needs,
        set=f"{SET}; cosine kernel on {features.label} features",
        metrics=[
            Metric(
                name=name,
                label=f"Vendi q = {'∞' if order == inf else f'{order:g}'} ({features.label})",
                meaning=f"effective number of distinct images of a prompt, 1 to n, {_emphasis(order)}",
                better="higher",
                low=1.0,
                high=None,
                grows_with_n=True,
            )
            for name, order in metrics.items()
        ],
    )
    def made(scorers: Scorers) -> FeatureDiversity:
        measures = {name: partial(vendi_of_order, order=order) for name, order in metrics.items()}
        return FeatureDiversity(scorers.features(features.name), measures)


def _emphasis(order: float) -> str:
    if order == inf:
        return "by the most common kind alone"
    return "with rare ones counted more" if order < 1 else "with common ones counted more"


for _features in of_prompts():
    _declare(_features)
