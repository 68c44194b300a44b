"""KID as papers report it: the mean over random subsets, by torch-fidelity, on Inception features.

Bińkowski et al., "Demystifying MMD GANs", ICLR 2018: 100 subsets of 1,000 images, drawn without replacement from each
side. `kid` of the scorer `distribution` is the same estimate over all images at once, and needs no subsets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.set_scores import SET, FeatureSets, metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.distribution import Features
    from skewbench.eval.scoring.instances import Scorers

SUBSETS, SIZE, SEED = 100, 1000, 2020
"""Number of subsets, images of a subset, and the seed by which they are drawn; torch-fidelity's defaults."""


def kid_of_subsets(
    made: Features, real: Features, subsets: int = SUBSETS, size: int = SIZE, seed: int = SEED
) -> tuple[float, float]:
    """Compute the mean and the standard deviation of KID over random subsets, in float64.

    Args:
        made: Features of generated images; shape (n, d), n >= size.
        real: Features of reference images; shape (m, d), m >= size.
        subsets: Number of subsets.
        size: Images of a subset.
        seed: Seed of `numpy.random.RandomState`, which draws the subsets.

    Returns:
        Mean, which may be negative, and standard deviation.
    """
    import numpy as np
    import torch

    from skewbench.eval.cpu_torchvision import define_missing_operators

    define_missing_operators()
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    sides = (torch.from_numpy(part.astype(np.float64)) for part in (made, real))
    found = kid_features_to_metric(*sides, kid_subsets=subsets, kid_subset_size=size, rng_seed=seed, verbose=False)
    return float(found[KEY_METRIC_KID_MEAN]), float(found[KEY_METRIC_KID_STD])


def compare(made: Features, real: Features) -> dict[str, GroupScore]:
    """Compute KID by subsets; None with the reason where a side has fewer images than a subset.

    Args:
        made: Features of the generated images; shape (n, d).
        real: Features of the reference's images; shape (m, d).

    Returns:
        One score by metric.
    """
    n, fewest = len(made), min(len(made), len(real))
    if fewest < SIZE:
        few = GroupScore(None, f"{fewest} images, fewer than the {SIZE:,} of a subset; kid takes all at once", n=n)
        return {"kid_subsets": few, "kid_subsets_sd": few}
    mean, deviation = kid_of_subsets(made, real)
    return {"kid_subsets": GroupScore(mean, n=n), "kid_subsets_sd": GroupScore(deviation, n=n)}


@scorer(
    name="kid_subsets",
    version=1,
    unit="cell",
    medium="image",
    needs=["inception-2015-12-05", "torch_fidelity"],
    set=f"{SET}, in {SUBSETS} subsets of {SIZE:,} by seed {SEED}",
    metrics=[
        metric("kid_subsets", "KID by subsets", f"mean KID of {SUBSETS} subsets of {SIZE:,} images", "lower", low=None),
        metric("kid_subsets_sd", "KID's spread", "standard deviation of KID over the subsets", "neither"),
    ],
)
def make(scorers: Scorers) -> FeatureSets:
    """Make the scorer with the Inception of 2015-12-05.

    Args:
        scorers: The scorers of the process: the shared features.
    """
    return FeatureSets(scorers.features("inception"), compare)
