"""Compares generated with real images as distributions: FID, KID, other MMDs, precision, recall, density, coverage.

The features may be of any network, shape (n, d); published numbers use Inception's 2048 features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from skewbench.eval.cpu_torchvision import define_missing_operators

Features = Float[np.ndarray, "n d"]
Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]

GROUPS = 20
"""Groups of the jackknife that estimates the standard error of an MMD."""
_ROWS = 2048
"""Rows of a kernel that are in memory: of 30,000 images 0.5 GB, not 7."""
NEAREST = 5
"""The distance to this neighbour is the radius of an image's ball, as in Naeem et al."""


@dataclass(frozen=True)
class Prdc:
    """Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020)."""

    precision: float
    recall: float
    density: float
    coverage: float


def fid(made: Features, real: Features) -> float:
    """Compute the Fréchet distance of the Gaussians with the features' means and covariances (Heusel et al., 2017).

    Computed by torch-fidelity in float64.

    Args:
        made: Features of generated images; shape (n, d), n >= 2.
        real: Features of reference images; shape (m, d), m >= 2.

    Returns:
        Distance, at least 0; 0 for equal means and covariances. It is biased upwards for few images.
    """
    define_missing_operators()
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    first, second = (fid_features_to_statistics(torch.from_numpy(part.astype(np.float64))) for part in (made, real))
    return float(fid_statistics_to_metric(first, second, verbose=False)[KEY_METRIC_FID])


def kid(made: Features, real: Features, seed: int = 0) -> tuple[float, float]:
    """Compute the unbiased squared MMD with the kernel (x·y/d + 1)³ (Bińkowski et al., 2018), and its standard error.

    Uses all images, not subsets of them.

    Args:
        made: Features of generated images; shape (n, d).
        real: Features of reference images; shape (m, d).
        seed: Seed of the jackknife's groups.

    Returns:
        KID, and its standard error, as `mmd` returns them.
    """
    return mmd(made, real, lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3, seed)


def mmd(made: Features, real: Features, kernel: Kernel, seed: int = 0) -> tuple[float, float]:
    """Compute the unbiased squared MMD (Gretton et al., 2012), and its standard error by a jackknife.

    The jackknife leaves out each of up to `GROUPS` random groups of images.

    Args:
        made: Features of generated images; shape (n, d).
        real: Features of reference images; shape (m, d).
        kernel: Features in float64, (a, d) and (b, d) -> kernel (a, b).
        seed: Seed of the groups.

    Returns:
        The value, which may be negative and is NaN for fewer than two images on a side; and its standard error, NaN if
        there are too few images to leave a group out.
    """
    rng = np.random.default_rng(seed)
    groups = min(GROUPS, len(made), len(real))
    in_group = [np.eye(groups)[rng.permutation(len(part)) % groups] for part in (made, real)]
    sets = [part.astype(np.float64) for part in (made, real)]
    within = [_group_sums(part, None, member, member, kernel) for part, member in zip(sets, in_group, strict=True)]
    across = _group_sums(sets[0], sets[1], in_group[0], in_group[1], kernel)
    sizes = [member.sum(axis=0) for member in in_group]
    everything = np.ones(groups)
    value = _mmd(within, across, sizes, everything)
    without = np.array([_mmd(within, across, sizes, everything - out) for out in np.eye(groups)])
    error = np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum())
    return value, float(error) if groups > 2 and np.isfinite(error) else float("nan")


def _group_sums(
    first: np.ndarray, second: np.ndarray | None, of_first: np.ndarray, of_second: np.ndarray, kernel: Kernel
) -> Float[np.ndarray, "g g"]:
    """Sums of the kernel over pairs of groups, in blocks of rows; without `second` over pairs of different rows."""
    found = np.zeros((of_first.shape[1], of_second.shape[1]))
    for start in range(0, len(first), _ROWS):
        rows = slice(start, start + _ROWS)
        alike = kernel(first[rows], first if second is None else second)
        if second is None:
            alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = 0
        found += of_first[rows].T @ alike @ of_second
    return found


def _mmd(within: list[np.ndarray], across: np.ndarray, sizes: list[np.ndarray], kept: Float[np.ndarray, "g"]) -> float:
    """Unbiased squared MMD of the kept groups."""
    n, m = (size @ kept for size in sizes)
    if n < 2 or m < 2:
        return float("nan")
    alike = kept @ within[0] @ kept / (n * (n - 1)) + kept @ within[1] @ kept / (m * (m - 1))
    return float(alike - 2 * (kept @ across @ kept) / (n * m))


def prdc(made: Features, real: Features, nearest: int = NEAREST) -> Prdc:
    """Compute precision, recall, density and coverage.

    Each image has a ball, whose radius is the distance to the k-th nearest other image of its kind. Precision: share of
    the generated images in any reference ball. Recall: share of the reference images in any generated ball. Density:
    mean number of reference balls that hold a generated image, divided by k, which may exceed 1. Coverage: share of the
    reference balls that hold any generated image.

    Args:
        made: Features of generated images; shape (n, d), n > nearest.
        real: Features of reference images; shape (m, d), m > nearest.
        nearest: The neighbour k.

    Returns:
        The four numbers.
    """
    first, second = (torch.from_numpy(part.astype(np.float64)) for part in (made, real))
    between = torch.cdist(second, first)  # real x made
    around_real, around_made = _radii(second, nearest), _radii(first, nearest)
    inside = between < around_real[:, None]
    return Prdc(
        precision=inside.any(dim=0).double().mean().item(),
        recall=(between < around_made).any(dim=1).double().mean().item(),
        density=inside.double().sum(dim=0).mean().item() / nearest,
        coverage=inside.any(dim=1).double().mean().item(),
    )


def _radii(features: torch.Tensor, nearest: int) -> torch.Tensor:
    """Distance of each to its k-th nearest other."""
    return torch.cdist(features, features).kthvalue(nearest + 1, dim=1).values
