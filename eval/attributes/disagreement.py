"""How often two images of a prompt differ in an attribute.

The mean over pairs of images is unbiased for any number of images, so that prompts with few seeds compare with prompts
with many. The entropy of the values' shares, which some papers report, is too low for few images: two images have at
most two values.
"""

from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float


def share_that_differs(values: Sequence[Hashable | None]) -> float | None:
    """Compute the share of the pairs of images whose values differ.

    Args:
        values: The value of each image; None where it is unknown, which leaves the image out.

    Returns:
        Share in 0..1; None for fewer than two known values.
    """
    known = [value for value in values if value is not None]
    pairs = [first != second for first, second in combinations(known, 2)]
    return sum(pairs) / len(pairs) if pairs else None


def mean_total_variation(posteriors: Float[np.ndarray, "n k"]) -> float:
    """Compute the mean total variation distance of the pairs of images: half the sum of the absolute differences.

    If each posterior is certain this is `share_that_differs`. For equal images it is 0, however uncertain the posterior
    is, where the chance that two independent draws differ would not be.

    Args:
        posteriors: Probabilities of k values for each of n >= 2 images; shape (n, k).

    Returns:
        Mean distance in 0..1.
    """
    first, second = np.triu_indices(len(posteriors), 1)
    return float(np.abs(posteriors[first] - posteriors[second]).sum(axis=1).mean() / 2)
