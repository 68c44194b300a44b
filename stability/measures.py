"""Stability of a retrieval under its layer's symmetric coupling M_sym = (q k' + k q') / 2.

For a feature column, s is the column without its token mean, at unit length, and J = I - 11'/L. Neither an L x L nor a
C x C matrix is formed: M_sym s = (q (k's) + k (q's)) / 2 goes through the head width d.
"""

from collections.abc import Collection
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FLOOR = 1e-8
"""Norms are clamped from below, or one constant column makes a block NaN."""


class Measures(NamedTuple):
    """Per sample, head and column. A sample's value per block is the mean over heads and columns."""

    energy: Float[Tensor, "B H C"]
    """E = -1/2 s' M_sym s."""
    instability: Float[Tensor, "B H C"]
    """r = the share of tokens with s_t f_t < 0, f = J M_sym s."""
    alignment: Float[Tensor, "B H C"]
    """s' f / (|s| |f|)."""


def measure(
    xi: Float[Tensor, "B H L C"],
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    tokens: Float[Tensor, "B L"] | None = None,
) -> Measures:
    """Energy, instability and alignment of a retrieval `xi` under the coupling of `q` and `k`.

    In float32, or float64 if an input is. Three temporaries of xi's size. A non-finite input makes all three measures
    of what it touches non-finite.

    Args:
        xi: The retrieval of the layer, before the value projection.
        q: Queries of the softmax, after any norm or rotary embedding.
        k: As `q`.
        tokens: 1 for a token that counts, 0 for one that is padding and is left out of all means and products; None:
            all count.
    """
    xi, pair = upcast(xi, torch.cat([q, k], dim=-1))
    # s is centred, so q's = (Jq)'s, and J M_sym s = (Jq (k's) + Jk (q's)) / 2: centring q and k once serves both
    u, pair = centred(xi, tokens), centred(pair, tokens)
    norm_u = norm(u)
    qs, ks = (pair.mT @ u / norm_u.clamp(min=FLOOR)[..., None, :]).chunk(2, dim=-2)
    f = pair @ (torch.cat([ks, qs], dim=-2) / 2)
    norm_f = norm(f)

    energy = -(qs * ks).sum(dim=-2) / 2
    # NaN < 0 is False and 1 / inf is 0: this term is 0 if all is finite and NaN otherwise, so non-finite values show
    nonfinite = 0 * (norm_u + norm_f + energy)
    instability = (u * f).lt_(0).mean(dim=-2) + nonfinite  # padding is 0 here, so it flips no sign
    if tokens is not None:
        instability = instability * (tokens.shape[-1] / tokens.sum(dim=-1))[:, None, None]
    alignment = -2 * energy / norm_f.clamp(min=FLOOR) + nonfinite  # |s| = 1
    return Measures(energy + nonfinite, instability, alignment)


def symmetry_index(
    q: Float[Tensor, "B H L d"], k: Float[Tensor, "B H L d"], center: bool = False
) -> Float[Tensor, "B H"]:
    """Compute the functional symmetry index of M = q k', in [-1, 1].

    eta = (|M_sym|^2 - |M_skew|^2) / (|M_sym|^2 + |M_skew|^2), through d x d Gram matrices: <k'q, (k'q)'> / <q'q, k'k>.
    In float32, or float64 if an input is.

    Args:
        q: Queries of the softmax.
        k: As `q`.
        center: Remove the token mean of q and k first. For bias-free projections this is the mean of X.
    """
    raw, without_mean = symmetry_indices(q, k)
    return without_mean if center else raw


def symmetry_indices(
    q: Float[Tensor, "B H L d"], k: Float[Tensor, "B H L d"], tokens: Float[Tensor, "B L"] | None = None
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    """eta of q and k, and of both without their token mean m, from one product: A'A = (JA)'(JA) + L m'm.

    Args:
        q: Queries of the softmax.
        k: As `q`.
        tokens: As for `measure`.
    """
    (pair,) = upcast(torch.cat([q, k], dim=-1))
    mean = token_mean(pair, tokens)
    apart = centred(pair, tokens)
    count = pair.shape[-2] if tokens is None else tokens.sum(dim=-1)[:, None, None, None]
    gram = apart.mT @ apart
    return _eta(gram + count * mean.mT * mean), _eta(gram)


def coupling_measures(
    wanted: Collection[str],
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    tokens: Float[Tensor, "B L"] | None = None,
) -> dict[str, Float[Tensor, "B H"]]:
    """Compute the measures that depend only on q and k, by their names in `skewbench.vocabulary.measures`.

    Args:
        wanted: Names of measures. Nothing is computed for others; more than these may be returned.
        q: Queries of the softmax.
        k: As `q`.
        tokens: As for `measure`.
    """
    if not {"symmetry", "symmetry_raw"} & set(wanted):
        return {}
    raw, without_mean = symmetry_indices(q, k, tokens)
    return {"symmetry_raw": raw, "symmetry": without_mean}


def _eta(gram: Float[Tensor, "B H e e"]) -> Float[Tensor, "B H"]:
    (qq, _), (kq, kk) = (half.chunk(2, dim=-1) for half in gram.chunk(2, dim=-2))
    return (kq * kq.mT).sum(dim=(-2, -1)) / (qq * kk).sum(dim=(-2, -1)).clamp(min=FLOOR**2)


def norm(x: Float[Tensor, "*rows L C"]) -> Float[Tensor, "*rows C"]:
    """Compute the norm of each column over the tokens. (`vector_norm` takes ten times as long on a CPU.)

    Args:
        x: Values by token and column.
    """
    return x.square().sum(dim=-2).sqrt()


def upcast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Convert tensors to one dtype, at least float32.

    Args:
        *tensors: Tensors of any dtypes.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)


def centred(x: Float[Tensor, "*rows L C"], tokens: Float[Tensor, "B L"] | None = None) -> Float[Tensor, "*rows L C"]:
    """Compute J x: subtract the mean over the tokens that count.

    Args:
        x: Values by token and column.
        tokens: 1 for a token that counts, 0 for padding; None: all count.

    Returns:
        The centred values; 0 for padding.
    """
    apart = x - token_mean(x, tokens)
    return apart if tokens is None else apart * tokens[:, None, :, None]


def token_mean(x: Float[Tensor, "*rows L C"], tokens: Float[Tensor, "B L"] | None) -> Float[Tensor, "*rows 1 C"]:
    """Average over the tokens that count.

    Args:
        x: Values by token and column.
        tokens: 1 for a token that counts, 0 for padding; None: all count.
    """
    if tokens is None:
        return x.mean(dim=-2, keepdim=True)
    each = tokens[:, None, :, None]
    return (x * each).sum(dim=-2, keepdim=True) / each.sum(dim=-2, keepdim=True)
