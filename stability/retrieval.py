"""Attention with a scaled skew-symmetric part: at head width for the output, at feature width for the measures.

M = q k' of a head, before its scale. X (L, C) is the layer's input and v = X Wv'. The retrievals are C wide:

    Xi       = softmax(scale M) X
    Xi_alpha = softmax(scale (M_sym + alpha M_skew)) X
    Xi_beta  = Xi + beta (Xi_alpha - Xi)
    Xi_out   = ratio * Xi_beta,   ratio = clip(|Xi_alpha| / |Xi_beta|, 1/4, 4)  over the C features of each token

The head's output Xi_out Wv' = ratio * ((1 - beta) P v + beta P_alpha v) needs the width d alone, so Xi is made only
where a ratio or a measure asks for it, tile by tile.

In joint attention M is the image-image block of the logits, the text's logits stay as they are, and Xi is the image's
part of the retrieval: P_II X_I.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from skewbench.stability import fused
from skewbench.stability.measures import upcast
from skewbench.stability.scores import on_tensor_cores, scores, skew_scores
from skewbench.stability.softmax import Mask, SoftmaxCall

BUDGET = {"cpu": 2**18, "cuda": 2**25}
"""Elements of the largest temporary, by device, for any batch; at least the L x C elements of one row and head.

Up to six live at once. 2**18 in float32 stay in a CPU's cache, and measuring is a third cheaper for it; 2**25 fill a
GPU and take under 1 GiB. (At 1024 px the P of all of SDXL's heads takes 0.6 GiB a row, and its scores as much.)
"""

FLOOR = 1e-6
"""Norms of retrievals are clamped from below at this."""


class Retrieval(NamedTuple):
    """Xi_out with its ratio and its share of attention on text."""

    xi: Float[Tensor, "B H L C"]
    ratio: Float[Tensor, "B H L 1"] | None
    text_mass: Float[Tensor, "B H L"] | None


def skewed(
    q: Float[Tensor, "B H L d"], k: Float[Tensor, "B H L d"], alpha: Float[Tensor, "B 1 1 1"]
) -> tuple[Float[Tensor, "B H L 2*d"], Float[Tensor, "B H L 2*d"]]:
    """Build q* and k* of twice the width, with q* k*' = c1 q k' + c2 k q' = M_sym + alpha M_skew.

    The coefficients are applied to the keys, so additional keys [k, 0] keep their logits q k'.

    Args:
        q: Queries of the softmax.
        k: As `q`.
        alpha: Factor of the skew-symmetric part: c1 = (1 + alpha) / 2 and c2 = (1 - alpha) / 2.
    """
    c1, c2 = (1 + alpha) / 2, (1 - alpha) / 2
    return torch.cat([q, k], dim=-1), torch.cat([c1 * k, c2 * q], dim=-1).to(k.dtype)


def attend(call: SoftmaxCall) -> Float[Tensor, "B H L d"]:
    """Compute softmax(scale q k') v over all keys, or other weights of the logits. The call's blend is ignored.

    Fused kernels need equal widths, so the narrower of q and v is padded for them.

    Args:
        call: The softmax call.
    """
    q, k, v = call.q, call.k, call.v
    if call.text is not None:
        k, v = torch.cat([k, _widened(call.text.k, k)], dim=2), torch.cat([v, call.text.v], dim=2)
    if call.weights is not None:
        q, k = upcast(q, k)
        parts = []
        for tokens in slices(q.shape[2], budget_of(q) // (q.shape[0] * q.shape[1] * k.shape[2])):
            logits = masked(call.scale * q[:, :, tokens] @ k.mT, call.mask_of(tokens))
            weights = call.weights_of(tokens) or plain_softmax
            parts.append(weights(logits).to(v.dtype) @ v)
        return _joined(parts)
    width = v.shape[-1]
    q, k, v = (padded(each, max(width, q.shape[-1])) for each in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=call.mask, scale=call.scale)[..., :width]


def skew_heads(
    call: SoftmaxCall, ratio: Float[Tensor, "B H L 1"] | None, bias: Float[Tensor, "H 1 d"] | None
) -> Float[Tensor, "B H L d"]:
    """The heads' output under the call's blend: Xi_out Wv' + bias, blended in float32.

    Args:
        call: Its `v` includes the value projection's `bias`, which the ratio does not scale. With a sketch, the
            ratio is computed here.
        ratio: Factor of each token; None: 1, or that of the sketch.
        bias: Bias of the value projection, by head; None: no bias.
    """
    blend = call.blend
    assert blend is not None  # noqa: S101 - what this is for
    width, sketch = call.v.shape[-1], blend.sketch
    if sketch is not None:
        call = call._replace(v=torch.cat([call.v, sketch[:, None].expand(*call.v.shape[:3], -1)], dim=-1))
    if uses_kernel(call):
        plain, skew = fused.pair(call.q, call.k, call.v, blend.alpha, call.scale)
    else:
        q, k = skewed(call.q, call.k, blend.alpha)
        plain, skew = upcast(attend(call), attend(call._replace(q=q, k=k)))
    heads = plain + blend.beta * (skew - plain)
    if sketch is not None:
        ratio = norm_ratio(skew[..., width:], heads[..., width:])
        heads = heads[..., :width]
    if ratio is not None:
        heads = ratio * heads if bias is None else ratio * (heads - bias) + bias
    return heads.to(call.v.dtype)


def retrieve(
    logits: Float[Tensor, "B H T K"],
    x: Float[Tensor, "B L C"],
    weights: Callable[[Tensor], Tensor] | None = None,
    mask: Mask | None = None,
) -> tuple[Float[Tensor, "B H T C"], Float[Tensor, "B H T"] | None]:
    """softmax(logits) x for T of the tokens, and the weight of the other keys.

    Softmax and result are float32, the product is in x's dtype.

    Args:
        logits: Scaled scores of the keys: those of x's tokens, then K - L others.
        x: Features.
        weights: In place of softmax.
        mask: Of these queries' keys.

    Returns:
        The retrieval, and the sum of the weights of the other keys (None if there are none).
    """
    p = (weights or plain_softmax)(masked(logits, mask))
    tokens, others = x.shape[1], None
    if p.shape[-1] > tokens:
        p, others = p[..., :tokens], p[..., tokens:].sum(dim=-1)
    p = p.to(x.dtype)
    xi = p.flatten(1, 2) @ x  # all heads as the rows of one product: x need not be copied for each
    return upcast(xi.unflatten(1, p.shape[1:3]))[0], others


def retrieval(call: SoftmaxCall) -> Retrieval:
    """Compute the retrieval that leaves the layer, the ratio of its rescaling, and its share of attention on text.

    Args:
        call: The softmax call. Its `x` is retrieved in place of `v`. With a sketch, `x` may be some of the features.

    Returns:
        Xi_out over all tokens. The ratio is None without rescaling, the share None without text.
    """
    blend, parts, ratios, masses = call.blend, [], [], []
    for (xi, mass), (xi_alpha, mass_alpha) in _retrievals(call):
        if blend is not None:
            xi = xi + blend.beta * (xi_alpha - xi)
            if mass is not None and mass_alpha is not None:
                mass = mass + blend.beta[..., 0] * (mass_alpha - mass)
            if blend.rescale:
                own = 0 if blend.sketch is None else call.x.shape[-1]  # a sketch stands behind the features
                ratios.append(norm_ratio(xi_alpha[..., own:], xi[..., own:]))
                xi = ratios[-1] * (xi if blend.sketch is None else xi[..., :own])
        parts.append(xi)
        masses.extend([] if mass is None else [mass])
    return Retrieval(_joined(parts), _joined(ratios) if ratios else None, _joined(masses) if masses else None)


_Part = tuple[Tensor, Tensor | None]
"""The result of `retrieve`."""


def _retrievals(call: SoftmaxCall) -> Iterator[tuple[_Part, _Part]]:
    """Yield Xi and Xi_alpha in chunks of tokens, or all tokens at once by the kernel. Without alpha both are Xi."""
    q, k, x, blend = call.q, call.k, call.x, call.blend
    alpha = None if blend is None else blend.alpha
    if blend is not None and blend.sketch is not None:
        x = torch.cat([x, blend.sketch], dim=-1)
    if uses_kernel(call):
        xi, xi_alpha = fused.pair(q, k, x[:, None].expand(-1, q.shape[1], -1, -1), alpha, call.scale)
        yield (xi, None), (xi_alpha, None)
        return
    for tokens, own, skew in _logits(q, k, call, alpha):
        mask, weights = call.mask_of(tokens), call.weights_of(tokens)
        plain = retrieve(own, x, weights, mask)
        yield plain, plain if skew is None else retrieve(skew, x, weights, mask)


def _logits(
    q: Tensor, k: Tensor, call: SoftmaxCall, alpha: Tensor | None
) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
    """Yield chunks of tokens, their scaled scores, and those of M_sym + alpha M_skew."""
    halves = on_tensor_cores(q)
    q, k = (q, k) if halves else upcast(q, k)  # once for all chunks
    q, k = q.contiguous(), k.contiguous()  # heads as they come from a projection cost twice the time in products
    q_skew, k_skew = (q, k) if alpha is None or halves else skewed(q, k, alpha)

    def scaled(queries: Tensor, keys: Tensor) -> Tensor:
        return call.scale * scores(queries, keys) if halves else scores(call.scale * queries, keys)

    all_keys, all_skew = k, k_skew
    if call.text is not None:
        all_keys, all_skew = (torch.cat([keys, _widened(call.text.k, keys)], dim=2) for keys in (k, k_skew))
    for tokens in slices(q.shape[2], budget_of(q) // (q.shape[0] * q.shape[1] * all_keys.shape[2])):
        own = scaled(q[:, :, tokens], all_keys)
        if alpha is None:
            yield tokens, own, None
        elif halves:
            yield tokens, own, skew_scores(own, scaled(k[:, :, tokens], q), alpha)
        else:  # on a CPU one product of twice the width is faster than a second one (docs/performance-cpu.md)
            yield tokens, own, scaled(q_skew[:, :, tokens], all_skew)


def plain_softmax(logits: Float[Tensor, "B H T K"]) -> Float[Tensor, "B H T K"]:
    """Compute the softmax over the keys.

    Args:
        logits: Scaled logits.
    """
    return logits.softmax(dim=-1)


def masked(logits: Float[Tensor, "B H T K"], mask: Mask | None) -> Float[Tensor, "B H T K"]:
    """Apply a mask to scaled logits.

    Args:
        logits: Scaled logits of T queries.
        mask: The mask of these queries; None: each sees all keys.
    """
    if mask is None:
        return logits
    return logits.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else logits + mask


def norm_ratio(xi_alpha: Float[Tensor, "B H T C"], xi_beta: Float[Tensor, "B H T C"]) -> Float[Tensor, "B H T 1"]:
    """Compute clip(|Xi_alpha| / |Xi_beta|, 1/4, 4) for each token of each head.

    Source: the released code of Cho, Han, Jin (ICML 2026).

    Args:
        xi_alpha: Retrieval with the scaled skew-symmetric part.
        xi_beta: Blended retrieval.
    """
    norm_alpha = torch.linalg.vector_norm(xi_alpha, dim=-1, keepdim=True).clamp(min=FLOOR)
    norm_beta = torch.linalg.vector_norm(xi_beta, dim=-1, keepdim=True).clamp(min=FLOOR)
    return (norm_alpha / norm_beta).clamp(1 / 4, 4)


def uses_kernel(call: SoftmaxCall) -> bool:
    """Return whether the Triton kernel is requested and can compute a call: only softmax over image tokens.

    Args:
        call: The softmax call.
    """
    plain = call.weights is None and call.text is None and call.mask is None
    return plain and fused.usable(call.q, call.kernel)


def padded(tensor: Float[Tensor, "B H T d"], width: int) -> Float[Tensor, "B H T e"]:
    """Pad the last axis with zeros up to a width, which changes neither scores nor results.

    Args:
        tensor: Queries, keys or values.
        width: The width to reach; a wider tensor stays as it is.
    """
    missing = width - tensor.shape[-1]
    return F.pad(tensor, (0, missing)) if missing > 0 else tensor


def _widened(k: Float[Tensor, "B H T d"], like: Float[Tensor, "B H L e"]) -> Float[Tensor, "B H T e"]:
    """Pad keys with zeros to another width, which leaves their logits unchanged."""
    return padded(k, like.shape[-1]).to(like.dtype)


def budget_of(tensor: Tensor) -> int:
    """Return the elements that a temporary on a tensor's device may have.

    Args:
        tensor: Any tensor on the device.
    """
    return BUDGET.get(tensor.device.type, BUDGET["cuda"])


def slices(n: int, size: int) -> Iterator[slice]:
    """Yield slices from 0 to n in steps of `size`, at least 1.

    Args:
        n: Where the last one ends.
        size: Length of a slice.
    """
    size = max(1, size)
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _joined(chunks: list[Tensor]) -> Tensor:
    """Join chunks along the tokens; a single chunk is not copied."""
    return chunks[0] if len(chunks) == 1 else torch.cat(chunks, dim=2)
