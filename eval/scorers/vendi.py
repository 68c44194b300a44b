"""The Vendi score: how many different things a set amounts to.

Friedman and Dieng, "The Vendi Score: a diversity evaluation metric for machine learning", TMLR 2023: the exponential of
the entropy of the eigenvalues of K / n, where K is a positive semidefinite kernel with ones on its diagonal. Here K is
the cosine of unit features. 1 for n copies, n for n orthogonal features; it grows with n, so compare within one n.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def vendi_score(features: Float[Tensor, "n d"]) -> float:
    """Effective number, 1..n, of unit features. In float64: eigenvalues near 0 are differences of large sums."""
    kernel = features.double() @ features.double().T
    shares = torch.linalg.eigvalsh(kernel / len(kernel)).clamp_min(0.0)
    return float(torch.special.entr(shares).sum().exp())
