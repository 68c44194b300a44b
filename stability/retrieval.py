"""Attention with a scaled skew-symmetric part: at head width for the output, at feature width for the measures.

M = q k' of a head, before its scale. X (L, C) is the layer's input and v = X Wv'. The retrievals are C wide:

    Xi       = softmax(scale M) X
    Xi_alpha = softmax(scale (M_sym + alpha M_skew)) X
    Xi_beta  = Xi + beta (Xi_alpha - Xi)
    Xi_out   = ratio * Xi_beta,   ratio = clip(|Xi_alpha| / |Xi_beta|, 1/4, 4)  over the C features of each token

The head's output Xi_out Wv' = ratio * ((1 - beta) P v + beta P_alpha v) needs the width d alone, so Xi is made only
where a ratio or a measure asks for it, tile by tile.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from skewbench.stability import fused
from skewbench.stability.measures import Measures, measure, upcast
from skewbench.stability.softmax import Blend, Kernel, SoftmaxCall, Weights

BUDGET = {"cpu": 2**19, "cuda": 2**25}
"""Elements of the largest temporary, by device, whatever the batch; where that is more, the L x C of one row and head.

Up to six live at once. 2**19 in float32 stay in a CPU's cache, and measuring is a third cheaper for it; 2**25 fill a
GPU and take under 1 GiB. (At 1024 px the P of all of SDXL's heads takes 0.6 GiB a row, and its scores as much.)
"""

FLOOR = 1e-6
"""Norms of retrievals are clamped from below at this."""

Columns = slice | Tensor
"""The feature columns that are measured: a slice or their indices."""


class Retrieved(NamedTuple):
    """What is had from the C-wide retrieval that leaves the layer, as far as it was asked for."""

    means: Float[Tensor, "measures B H"] | None = None
    """The fields of `Measures`, means over the columns."""
    ratio: Float[Tensor, "B H L 1"] | None = None
    heads: Float[Tensor, "B H L d"] | None = None
    """Xi_out Wv', without a bias; in place of the ratio."""


def skewed(
    q: Float[Tensor, "B H L d"], k: Float[Tensor, "B H L d"], alpha: Float[Tensor, "B 1 1 1"]
) -> tuple[Float[Tensor, "B H L 2*d"], Float[Tensor, "B H L 2*d"]]:
    """q* and k* of twice the width, with q* k*' = c1 q k' + c2 k q' = M_sym + alpha M_skew."""
    c1, c2 = (1 + alpha) / 2, (1 - alpha) / 2
    return torch.cat([c1 * q, c2 * k], dim=-1).to(q.dtype), torch.cat([k, q], dim=-1)


def attend(
    q: Float[Tensor, "B H L e"],
    k: Float[Tensor, "B H L e"],
    v: Float[Tensor, "B H L d"],
    scale: float,
    weights: Weights | None = None,
) -> Float[Tensor, "B H L d"]:
    """softmax(scale q k') v, or other weights of the logits. Fused kernels want equal widths: v is padded for them."""
    if weights is not None:
        q, k = upcast(q, k)
        each = _budget(q) // (q.shape[0] * q.shape[1] * k.shape[2])
        return _joined([weights(scale * q[:, :, t] @ k.mT).to(v.dtype) @ v for t in _slices(q.shape[2], each)])
    width = v.shape[-1]
    padded = F.pad(v, (0, q.shape[-1] - width)) if q.shape[-1] > width else v
    return F.scaled_dot_product_attention(q, k, padded, scale=scale)[..., :width]


def skew_heads(
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    v: Float[Tensor, "B H L d"],
    scale: float,
    blend: Blend,
    ratio: Float[Tensor, "B H L 1"] | None,
    bias: Float[Tensor, "H 1 d"] | None,
    weights: Weights | None = None,
    kernel: Kernel = "torch",
) -> Float[Tensor, "B H L d"]:
    """Xi_out Wv' + bias, blended in float32. `v` includes the value projection's `bias`, which ratio leaves alone."""
    if weights is None and fused.usable(q, kernel):
        plain, skew = fused.pair(q, k, v, blend.alpha, scale)
    else:
        plain, skew = upcast(attend(q, k, v, scale, weights), attend(*skewed(q, k, blend.alpha), v, scale, weights))
    heads = plain + blend.beta * (skew - plain)
    if ratio is not None:
        heads = ratio * heads if bias is None else ratio * (heads - bias) + bias
    return heads.to(v.dtype)


def retrieve(
    q: Float[Tensor, "B H T e"],
    k: Float[Tensor, "B H L e"],
    x: Float[Tensor, "B L C"],
    scale: float,
    weights: Weights | None = None,
) -> Float[Tensor, "B H T C"]:
    """softmax(scale q k') x for T of the tokens: scores, softmax and result in float32, the product in x's dtype."""
    q, k = upcast(q, k)
    scores = scale * q @ k.mT
    p = (scores.softmax(dim=-1) if weights is None else weights(scores)).to(x.dtype)
    xi = p.flatten(1, 2) @ x  # all heads as the rows of one product: x need not be copied for each
    return upcast(xi.unflatten(1, p.shape[1:3]))[0]


def retrieval(
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    x: Float[Tensor, "B L C"],
    scale: float,
    blend: Blend | None = None,
    weights: Weights | None = None,
    kernel: Kernel = "torch",
) -> tuple[Float[Tensor, "B H L C"], Float[Tensor, "B H L 1"] | None]:
    """The retrieval that leaves the layer, and its ratio (None without rescale)."""
    parts, ratios = [], []
    for xi, xi_alpha in _retrievals(q, k, x, scale, None if blend is None else blend.alpha, weights, kernel):
        if blend is not None:
            xi = xi + blend.beta * (xi_alpha - xi)
            if blend.rescale:
                ratios.append(norm_ratio(xi_alpha, xi))
                xi = ratios[-1] * xi
        parts.append(xi)
    return _joined(parts), _joined(ratios) if ratios else None


def _retrievals(
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    x: Float[Tensor, "B L C"],
    scale: float,
    alpha: Float[Tensor, "B 1 1 1"] | None,
    weights: Weights | None,
    kernel: Kernel,
) -> Iterator[tuple[Float[Tensor, "B H T C"], Float[Tensor, "B H T C"]]]:
    """Xi and Xi_alpha (Xi again where there is no alpha) in chunks of tokens, or of all of them by the kernel."""
    if weights is None and fused.usable(q, kernel):
        yield fused.pair(q, k, x[:, None].expand(-1, q.shape[1], -1, -1), alpha, scale)
        return
    q, k = upcast(q, k)  # once for all chunks
    q, k = q.contiguous(), k.contiguous()  # heads as they come from a projection cost twice the time in products
    q_skew, k_skew = (q, k) if alpha is None else skewed(q, k, alpha)
    for tokens in _slices(q.shape[2], _budget(q) // (q.shape[0] * q.shape[1] * k.shape[2])):
        xi = retrieve(q[:, :, tokens], k, x, scale, weights)
        yield xi, xi if alpha is None else retrieve(q_skew[:, :, tokens], k_skew, x, scale, weights)


def norm_ratio(xi_alpha: Float[Tensor, "B H T C"], xi_beta: Float[Tensor, "B H T C"]) -> Float[Tensor, "B H T 1"]:
    """clip(|Xi_alpha| / |Xi_beta|, 1/4, 4) per token of each head, as in the released code."""
    norm_alpha = torch.linalg.vector_norm(xi_alpha, dim=-1, keepdim=True).clamp(min=FLOOR)
    norm_beta = torch.linalg.vector_norm(xi_beta, dim=-1, keepdim=True).clamp(min=FLOOR)
    return (norm_alpha / norm_beta).clamp(1 / 4, 4)


def stability_and_heads(
    call: SoftmaxCall,
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    columns: Columns | None,
    weight: Float[Tensor, "H C d"] | None = None,
) -> Retrieved:
    """Measures of what leaves the layer, on `columns` (None: not measured); where it is rescaled, its output by head.

    That is Xi_out Wv' by the value projection's `weight`; without one, the ratio that `skew_heads` asks for instead. In
    tiles of rows and heads, so that no temporary of it has more elements than BUDGET allows.

    Args:
        call: The call whose retrieval leaves the layer.
        q: The layer's own, whose M_sym the measures are of, whatever the call's are.
        k: As `q`.
        columns: Feature columns that are measured.
        weight: The value projection by head.
    """
    x, blend = call.x, call.blend
    rescale = blend is not None and blend.rescale
    if columns is None and not rescale:
        return Retrieved()
    if columns is not None and not rescale:
        x, columns = x[..., columns], slice(None)  # only a ratio needs all the features
    rows, heads, tokens = q.shape[:3]
    empty = upcast(q.new_empty(0))[0].new_empty
    means = None if columns is None else empty(len(Measures._fields), rows, heads)
    ratio = empty(rows, heads, tokens, 1) if rescale and weight is None else None
    output = x.new_empty(rows, heads, tokens, weight.shape[-1]) if rescale and weight is not None else None
    for b, h in _tiles(rows, heads, tokens * x.shape[-1], _budget(q)):
        own_blend = blend.rows(b) if blend is not None else None
        xi, tile_ratio = retrieval(call.q[b, h], call.k[b, h], x[b], call.scale, own_blend, call.weights, call.kernel)
        if ratio is not None and tile_ratio is not None:
            ratio[b, h] = tile_ratio
        if output is not None and weight is not None:
            output[b, h] = xi.to(x.dtype) @ weight[h]
        if means is not None:
            means[:, b, h] = torch.stack(measure(xi[..., columns], q[b, h], k[b, h])).mean(dim=-1)
    return Retrieved(means, ratio, output)


def _budget(tensor: Tensor) -> int:
    return BUDGET.get(tensor.device.type, BUDGET["cuda"])


def _tiles(rows: int, heads: int, each: int, budget: int) -> Iterator[tuple[slice, slice]]:
    """Rows and heads, each pair of `each` elements: whole rows if one fits into the budget, else heads of one."""
    for row in _slices(rows, budget // (heads * each)):
        for head in _slices(heads, budget // each):
            yield row, head


def _slices(n: int, size: int) -> Iterator[slice]:
    """0 to n in steps of `size`, at least 1."""
    size = max(1, size)
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _joined(chunks: list[Tensor]) -> Tensor:
    """Along the tokens; one chunk is not copied."""
    return chunks[0] if len(chunks) == 1 else torch.cat(chunks, dim=2)
