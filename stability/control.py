"""The adaptive controllers: alpha and beta of each row from the layer's own q, k and X."""

import torch
from jaxtyping import Float
from torch import Tensor

from skewbench.stability.knobs import Sketch, Skew, SkewGuided
from skewbench.stability.measures import Measures, symmetry_indices, upcast
from skewbench.stability.retrieved import stability_and_heads
from skewbench.stability.sketch import directions
from skewbench.stability.softmax import Blend, SoftmaxCall

_COLUMNS = 32
"""Feature columns at most that stand for all in a guard's alignment."""


def count_branches(rows: int, samples: int | None) -> int:
    """Count the guidance branches of a batch, whose rows are branches x samples, uncond first.

    Args:
        rows: Rows of the batch.
        samples: Samples of the batch; None: each row is one sample.

    Raises:
        ValueError: The rows are not a multiple of the samples.
    """
    if samples is None:
        return 1
    if rows % samples:
        raise ValueError(f"samples={samples}: the model was given {rows} rows, which is not a multiple of samples")
    return rows // samples


def blend_for(knob: Skew, call: SoftmaxCall) -> Blend:
    """Compute alpha and beta for each row: the knob's own, or those of its adaptive rules.

    Nothing is rescaled in joint attention: the text's part of the retrieval has no X in the same basis.

    Args:
        knob: The knob.
        call: The layer's softmax call, whose symmetry index the adaptive rules use.
    """
    rescale = knob.rescale != "off" and call.text is None
    sketch = sketched(call.x, call.block, knob.rescale) if rescale and isinstance(knob.rescale, Sketch) else None
    q, k = call.q, call.k
    if knob.adapt_alpha == "off" and not knob.adapt_beta:
        one = torch.ones(len(q), 1, 1, 1, dtype=upcast(q.new_empty(0))[0].dtype, device=q.device)
        return Blend(knob.alpha * one, knob.beta * one, rescale, sketch)
    eta = mean_eta(symmetry_indices(q, k, call.tokens)[0], call.branches, knob.eta_scope)
    alpha = {"off": knob.alpha + 0 * eta, "dev": 1 + (knob.alpha - 1) * eta, "scale": knob.alpha * eta}
    beta = knob.beta * (1 - eta) if knob.adapt_beta else knob.beta + 0 * eta
    return Blend(alpha[knob.adapt_alpha], beta, rescale, sketch)


def sketched(x: Float[Tensor, "B L C"], block: int, sketch: Sketch) -> Float[Tensor, "B L m"]:
    """Compute the components of X along random directions.

    Args:
        x: Features.
        block: Number of the block, on which the directions depend.
        sketch: How many directions.
    """
    return x @ directions(block, x.shape[-1], sketch.sketch, x.device).to(x.dtype)


def blend_where_unstable(knob: SkewGuided, call: SoftmaxCall) -> Blend:
    """Compute the guard's alpha for each row, by the alignment of its sample in this call.

    Args:
        knob: The guard.
        call: A softmax call; the alignment is that of the measures.
    """
    columns = slice(None, None, -(-call.x.shape[-1] // _COLUMNS))
    means = stability_and_heads(call, call.q, call.k, columns).means
    assert means is not None  # noqa: S101 - columns are given
    alignment = of_sample(means[Measures._fields.index("alignment")], call.branches)
    alpha = 1 + (knob.alpha - 1) * (1 - alignment / knob.stable).clamp(0, 1)
    return Blend(alpha, knob.beta + 0 * alpha, knob.rescale == "norm" and call.text is None)


def of_sample(values: Float[Tensor, "B H"], branches: int) -> Float[Tensor, "B 1 1 1"]:
    """Average over a sample's heads and branches, and repeat the mean in each of its rows.

    Args:
        values: One value for each row and head.
        branches: Rows of each sample, one per branch of guidance.
    """
    mean = values.unflatten(0, (branches, -1)).mean(dim=(0, 2)).repeat(branches)
    return mean[:, None, None, None]


def mean_eta(eta: Float[Tensor, "B H"], branches: int, scope: str) -> Float[Tensor, "B 1 1 1"]:
    """Average the symmetry index over a sample's heads and branches, or over the whole batch.

    Args:
        eta: Symmetry index of each row and head.
        branches: Number of guidance branches: rows are branches x samples.
        scope: `batch` averages over everything, any other value by sample.
    """
    return eta.mean().expand(len(eta), 1, 1, 1) if scope == "batch" else of_sample(eta, branches)
