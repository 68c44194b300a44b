"""Sparse alternatives to softmax, exact by sorting.

alpha-entmax is the p on the simplex that maximises p'z + H_alpha(p), with Tsallis' entropy H_alpha. alpha = 1 is
softmax. The solution is p = max(z' - tau, 0)^(1 / (alpha - 1)) with z' = (alpha - 1) z, where tau makes the sum 1.
Source: Martins and Astudillo, "From Softmax to Sparsemax", arXiv 1602.02068; Peters, Niculae, Martins, "Sparse
Sequence-to-Sequence Models", arXiv 1905.05702, algorithm 2.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def sparsemax(logits: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K"]:
    """alpha = 2: the point of the simplex that is nearest to the logits.

    Args:
        logits: Minus infinity: a key that gets no weight.
    """
    z = _below_zero(logits)
    ordered, count = _descending(z)
    tau = (ordered.cumsum(-1) - 1) / count  # for a support of the first 1, 2, ... keys
    return (z - _at_the_support(tau, ordered)).clamp(min=0)


def entmax(logits: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K"]:
    """alpha = 1.5: p = max(z / 2 - tau, 0)^2.

    Args:
        logits: Minus infinity: a key that gets no weight.
    """
    z = _below_zero(logits / 2)
    ordered, count = _descending(z)
    mean = ordered.cumsum(-1) / count
    deviation = ordered.square().cumsum(-1) - count * mean.square()  # sum of squares around the mean
    # sum of (z - tau)^2 over the support is 1; if no tau satisfies this, the support is smaller
    tau = mean - ((1 - deviation) / count).clamp(min=0).sqrt()
    return (z - _at_the_support(tau, ordered)).clamp(min=0).square()


def _below_zero(z: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows K"]:
    """Shift logits to a maximum of 0, and clamp them at -2. Tau is at least -1, so lower logits get no weight."""
    return (z - z.amax(dim=-1, keepdim=True)).clamp(min=-2)


def _descending(z: Float[Tensor, "*rows K"]) -> tuple[Float[Tensor, "*rows K"], Float[Tensor, "K"]]:
    count = torch.arange(1, z.shape[-1] + 1, device=z.device, dtype=z.dtype)
    return z.sort(dim=-1, descending=True).values, count


def _at_the_support(tau: Float[Tensor, "*rows K"], ordered: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows 1"]:
    """Select the tau of the largest support whose keys all exceed it."""
    size = (ordered > tau).sum(dim=-1, keepdim=True)
    return tau.gather(-1, (size - 1).clamp(min=0))
