"""Ways to rescale the knob's retrieval that need fewer operations than Xi over all features, and where each is taken.

Each is exact: it gives the norms of Xi_alpha and Xi_beta over the C features of each token, to rounding.

    retrieval   Xi and Xi_alpha in float32, C wide (`retrieval.retrieval`)
    gram        |xi|^2 = p G p' with G = X X', for L well below C: L in place of C wide
    blocks      fused attention over blocks of X's columns, of which only the squares are kept: P is never stored
    kernel      the same in Triton, with the largest scores and sums known from the heads' own pass (`norm_kernel`)
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from skewbench.stability import fused
from skewbench.stability.measures import upcast
from skewbench.stability.retrieval import FLOOR, attend, budget_of, padded, plain_softmax, skewed, slices, uses_kernel
from skewbench.stability.softmax import Blend, SoftmaxCall

Way = Literal["retrieval", "gram", "blocks", "kernel"]
Columns = slice | Tensor
"""The feature columns that are measured: a slice or their indices."""

BLOCK = 128
"""Columns of X in one fused call: the width of the knob's q and k at heads of 64, which fast kernels take."""


class Choice(NamedTuple):
    """Where a way is taken."""

    way: Way
    device: str
    dtypes: tuple[torch.dtype, ...]
    fits: Callable[[int, int], bool]
    """Whether it is taken for L tokens of width C."""


CHOICES: list[Choice] = [
    # measured (docs/performance-cpu.md): 0.70 of the time at L = 256, C = 1280; no clear gain at L = 1024, C = 1280 and
    # at L = 64, C = 96; a loss at L = 256, C = 64
    Choice("gram", "cpu", (torch.float32, torch.float64), lambda tokens, width: 2 * tokens <= width),
    # counted, not measured on a GPU: half the time of `retrieval`, whose scores are off the tensor cores
    Choice("blocks", "cuda", (torch.float16, torch.bfloat16), lambda tokens, width: tokens >= 256),
]
"""The first that fits is taken, else `retrieval`."""


class Rescaled(NamedTuple):
    """What a way gives of a call."""

    xi: Float[Tensor, "B H L c"] | None
    """Xi_out on the measured columns."""
    ratio: Float[Tensor, "B H L 1"] | None
    heads: Float[Tensor, "B H L d"] | None = None
    """Xi_out Wv', without a bias."""
    text_mass: Float[Tensor, "B H L"] | None = None


def way_of(call: SoftmaxCall) -> Way:
    """Choose the way to rescale a call, by shape, number format and device.

    Args:
        call: A call with exact norms.
    """
    if uses_kernel(call):
        return "kernel"
    if call.weights is not None or call.text is not None or call.mask is not None:
        return "retrieval"
    tokens, width = call.x.shape[1:]
    for choice in CHOICES:
        here = choice.device == call.q.device.type and call.x.dtype in choice.dtypes
        if here and choice.fits(tokens, width) and (choice.way != "gram" or tokens**2 <= budget_of(call.q)):
            return choice.way
    return "retrieval"


def gives_heads(call: SoftmaxCall) -> bool:
    """Return whether the way of a call gives the heads' output too. Otherwise `skew_heads` makes it from the ratio.

    Args:
        call: A call with exact norms.
    """
    return way_of(call) != "blocks"


def largest(way: Way, call: SoftmaxCall) -> int:
    """Count the elements of a way's largest temporary, of one row and head.

    Args:
        way: The way.
        call: The call.
    """
    tokens, width = call.x.shape[1:]
    return tokens * (max(tokens, width) if way == "gram" else width)


def by_gram(call: SoftmaxCall, columns: Columns | None, weight: Float[Tensor, "H C d"] | None) -> Rescaled:
    """Rescale by quadratic forms of the Gram matrix G = X X': |Xi_t|^2 = p_t G p_t'.

    Xi_beta is (P + beta (P_alpha - P)) X, so that one product with the blended weights gives what is measured, and one
    the heads.

    Args:
        call: A call with a blend and without a mask.
        columns: Feature columns that are measured.
        weight: The value projection by head; None: no heads are asked for.
    """
    blend = _blend(call)
    q, k, x = upcast(call.q, call.k, call.x)
    q_skew, k_skew = skewed(q, k, blend.alpha)
    p = plain_softmax(call.scale * q @ k.mT)
    p_alpha = plain_softmax(call.scale * q_skew @ k_skew.mT)
    p_beta = p + blend.beta * (p_alpha - p)
    gram = x @ x.mT
    ratio = _ratio(_quadratic(p_alpha, gram), _quadratic(p_beta, gram))
    xi = None if columns is None else ratio * _retrieved(p_beta, x[..., columns])
    heads = None
    if weight is not None:
        heads = ratio * (p_beta @ _values(x, weight))
    return Rescaled(xi, ratio, None if heads is None else heads.to(call.x.dtype))


def by_blocks(call: SoftmaxCall, columns: Columns | None) -> Rescaled:
    """Rescale by fused attention over blocks of X's columns. Neither P nor Xi is stored, except for measured columns.

    Fused kernels accumulate scores in float32 also from inputs in half precision.

    Args:
        call: A call with a blend.
        columns: Feature columns that are measured.
    """
    blend, alpha, beta, kept = _blend(call), [], [], []
    q, k = skewed(call.q, call.k, blend.alpha)
    skewed_call = call._replace(q=padded(q, BLOCK), k=padded(k, BLOCK))
    call = call._replace(q=padded(call.q, BLOCK), k=padded(call.k, BLOCK))

    def block_of(x: Tensor) -> tuple[Tensor, Tensor]:
        """Return Xi_alpha and Xi_beta of some columns of X, in float32."""
        v = x[:, None].expand(-1, call.q.shape[1], -1, -1)
        plain, skew = upcast(attend(call._replace(v=v)), attend(skewed_call._replace(v=v)))
        return skew, plain + blend.beta * (skew - plain)

    every = fused.takes_all(columns)
    for block in slices(call.x.shape[-1], BLOCK):
        xi_alpha, xi_beta = block_of(call.x[..., block])
        alpha.append(xi_alpha.square().sum(dim=-1, keepdim=True))
        beta.append(xi_beta.square().sum(dim=-1, keepdim=True))
        kept += [xi_beta] if every else []
    ratio = _ratio(torch.stack(alpha).sum(dim=0), torch.stack(beta).sum(dim=0))
    if columns is None:
        return Rescaled(None, ratio)
    if not kept:
        x = call.x[..., columns]
        kept = [block_of(x[..., block])[1] for block in slices(x.shape[-1], BLOCK)]
    return Rescaled(ratio * torch.cat(kept, dim=-1), ratio)


def by_kernel(call: SoftmaxCall, columns: Columns | None, weight: Float[Tensor, "H C d"] | None) -> Rescaled:
    """Rescale by Triton kernels. Neither P nor Xi is stored, except for measured columns.

    Args:
        call: A call with a blend, for which the kernel is used.
        columns: Feature columns that are measured.
        weight: The value projection by head; None: no heads are asked for.
    """
    blend = _blend(call)
    values = call.v if weight is None else _values(call.x, weight)
    found = fused.blended(call.q, call.k, values, call.x, blend.alpha, blend.beta, call.scale, columns)
    ratio = _ratio(*found.squares)
    heads = None if weight is None else (ratio * found.heads).to(call.x.dtype)
    return Rescaled(None if found.xi is None else ratio * found.xi, ratio, heads)


def _values(x: Float[Tensor, "B L C"], weight: Float[Tensor, "H C d"]) -> Float[Tensor, "B H L d"]:
    """Compute the values of all heads, without a bias, in one product."""
    values = x @ weight.to(x.dtype).transpose(0, 1).flatten(1)
    return values.unflatten(-1, (len(weight), -1)).transpose(1, 2)


def _blend(call: SoftmaxCall) -> Blend:
    assert call.blend is not None  # noqa: S101 - what all this is for
    return call.blend


def _quadratic(p: Float[Tensor, "B H L L"], gram: Float[Tensor, "B L L"]) -> Float[Tensor, "B H L 1"]:
    """Compute p_t G p_t' for each token. Rounding may leave less than 0 of what is 0."""
    return (_retrieved(p, gram) * p).sum(dim=-1, keepdim=True).clamp(min=0)


def _retrieved(p: Float[Tensor, "B H L K"], x: Float[Tensor, "B K c"]) -> Float[Tensor, "B H L c"]:
    """Compute P X with all heads as the rows of one product."""
    return (p.flatten(1, 2) @ x).unflatten(1, p.shape[1:3])


def _ratio(alpha: Float[Tensor, "B H L 1"], beta: Float[Tensor, "B H L 1"]) -> Float[Tensor, "B H L 1"]:
    """Compute clip(|Xi_alpha| / |Xi_beta|, 1/4, 4) from squared norms, as `norm_ratio` does from retrievals."""
    norm_alpha, norm_beta = (square.sqrt().clamp(min=FLOOR) for square in (alpha, beta))
    return (norm_alpha / norm_beta).clamp(1 / 4, 4)
