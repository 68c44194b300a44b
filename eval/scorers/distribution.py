"""The scorer `distribution`: a cell's images against real ones, on torch-fidelity's Inception features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.set_scores import SET, FeatureSets, discrepancy, frechet, metric, neighbours

if TYPE_CHECKING:
    from skewbench.eval.scoring.contract import GroupScore
    from skewbench.eval.scoring.distribution import Features
    from skewbench.eval.scoring.instances import Scorers

METRICS = (
    metric("fid", "FID", "distance of the set of images to a reference set; less is better", "lower"),
    metric("kid", "KID", "distance of the set of images to a reference set; less is better", "lower", low=None),
    metric("kid_error", "KID's error", "standard error of KID", "lower"),
    metric("precision", "Precision", "share of images that are near a reference image", "higher", high=1.0),
    metric("recall", "Recall", "share of the reference set that is near an image", "higher", high=1.0),
    metric("density", "Density", "number of reference images near each image, 1 if the sets are alike", "higher"),
    metric("coverage", "Coverage", "share of the reference set that has an image near it", "higher", high=1.0),
)


def compare(made: Features, real: Features) -> dict[str, GroupScore]:
    """Compute FID, KID with its standard error, precision, recall, density and coverage.

    Args:
        made: Features of the generated images; shape (n, d).
        real: Features of the reference's images; shape (m, d).

    Returns:
        One score by metric.
    """
    from skewbench.eval.scoring.distribution import kid

    fid = frechet(made, real, called="FID", instead="kid")
    return {"fid": fid, **discrepancy("kid", made, real, kid), **neighbours(made, real)}


@scorer(
    name="distribution",
    version=1,
    unit="cell",
    medium="image",
    needs=["inception-2015-12-05", "torch_fidelity"],
    set=SET,
    metrics=METRICS,
)
def distribution(scorers: Scorers) -> FeatureSets:
    """Make the scorer with the Inception of 2015-12-05.

    Args:
        scorers: The scorers of the process: the shared features.
    """
    return FeatureSets(scorers.features("inception"), compare)
