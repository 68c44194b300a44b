"""The scorer `dinov2_distribution`: a cell's images against real ones, on DINOv2's features.

Stein et al., "Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion models",
NeurIPS 2023, find these features to follow people's judgement better than Inception's: the Fréchet distance (FDD), the
kernel distance (KDD), and precision, recall, density and coverage with five neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.set_scores import SET, FeatureSets, discrepancy, frechet, metric, neighbours

if TYPE_CHECKING:
    from skewbench.eval.scoring.contract import GroupScore
    from skewbench.eval.scoring.distribution import Features
    from skewbench.eval.scoring.instances import Scorers

_DISTANCE = "distance of the set of images to a reference set for DINOv2; less is better"
METRICS = (
    metric("fdd", "FDD", _DISTANCE, "lower"),
    metric("kdd", "KDD", _DISTANCE, "lower", low=None),
    metric("kdd_error", "KDD's error", "standard error of KDD", "lower"),
    metric("dinov2_precision", "Precision (DINOv2)", "share of images near a reference image", "higher", high=1.0),
    metric("dinov2_recall", "Recall (DINOv2)", "share of reference images that are near an image", "higher", high=1.0),
    metric("dinov2_density", "Density (DINOv2)", "how many reference images each image is near to", "higher"),
    metric("dinov2_coverage", "Coverage (DINOv2)", "share of reference images with an image near", "higher", high=1.0),
)


def compare(made: Features, real: Features) -> dict[str, GroupScore]:
    """Compute FDD, KDD with its standard error, precision, recall, density and coverage.

    Args:
        made: Features of the generated images; shape (n, d).
        real: Features of the reference's images; shape (m, d).

    Returns:
        One score by metric.
    """
    from skewbench.eval.scoring.distribution import kid

    fdd = frechet(made, real, called="FDD", instead="kdd")
    return {"fdd": fdd, **discrepancy("kdd", made, real, kid), **neighbours(made, real, "dinov2_")}


@scorer(
    name="dinov2_distribution",
    version=1,
    unit="cell",
    medium="image",
    needs=["dinov2-vit-l-14", "torch_fidelity"],
    set=SET,
    metrics=METRICS,
)
def dinov2_distribution(scorers: Scorers) -> FeatureSets:
    """Make the scorer with DINOv2's ViT-L/14.

    Args:
        scorers: The scorers of the process: the shared features.
    """
    return FeatureSets(scorers.features("dinov2"), compare)
