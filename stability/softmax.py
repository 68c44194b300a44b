"""One softmax of a self-attention, as a knob gets it."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Kernel = Literal["torch", "triton"]
"""Implementations of plain and skewed softmax. Their sums differ in the last bits."""
Weights = Callable[[Tensor, slice], Tensor]
"""Logits (B, H, T, K) of some of the rows, heads and queries, and which T of the L queries these are -> the weights of
their keys, independently for each query. The first L keys are the image tokens, in the order of the queries."""
Mask = Float[Tensor, "#B #H #L K"] | Bool[Tensor, "#B #H #L K"]
"""A mask that is added to the scaled logits of a query's keys, or a bool mask of the keys it sees."""


class Blend(NamedTuple):
    """The skew knob's retrieval Xi + beta (Xi_alpha - Xi): one value a row."""

    alpha: Float[Tensor, "B 1 1 1"]
    beta: Float[Tensor, "B 1 1 1"]
    rescale: bool
    sketch: Float[Tensor, "B L m"] | None = None
    """X along m orthonormal directions, whose retrieval has the norms' estimate; None: the norms are exact."""

    def rows(self, rows: slice) -> "Blend":
        """Select some rows of the blend.

        Args:
            rows: Rows of the batch.
        """
        sketch = None if self.sketch is None else self.sketch[rows]
        return Blend(self.alpha[rows], self.beta[rows], self.rescale, sketch)


class Text(NamedTuple):
    """The text tokens among the keys of joint attention, which a knob does not change."""

    k: Float[Tensor, "B H T d"]
    v: Float[Tensor, "B H T d"]


class SoftmaxCall(NamedTuple):
    """softmax(scale q k') v of one layer and step, and what else there is to know. A knob returns another.

    In joint attention q, k, v and x are those of the image tokens; the text tokens are further keys, after them.

    Args:
        q: Queries of the softmax, after norms and rotary embedding. A knob may change the width of q and k.
        k: As `q`.
        v: Values, with the bias of their projection.
        x: The layer's input, which the measures' retrieval weighs in place of `v`.
        scale: Factor of the logits.
        branches: Branches of guidance: rows are branches x samples, uncond first.
        blend: A second softmax, of the scaled skew-symmetric part, that is blended in.
        weights: A function that replaces the softmax over the keys; None: softmax.
        kernel: The implementation that computes softmaxes.
        text: Keys and values of the text tokens; None: only image tokens.
        mask: Of the keys, those of the image tokens first; None: each query sees all.
        tokens: 1 for a token of x that counts in means and products, 0 for padding; None: all count.
        grid: Rows and columns of the image's tokens, for a knob that declares `needs_grid`. There may be several such
            consecutive grids, as the frames of a video.
        block: Number of the layer's block, the seed of random directions.
        constant: Whether every query gets the same weights. Then no measure of the retrieval is defined.
    """

    q: Float[Tensor, "B H L e"]
    k: Float[Tensor, "B H L e"]
    v: Float[Tensor, "B H L d"]
    x: Float[Tensor, "B L C"]
    scale: float
    branches: int = 1
    blend: Blend | None = None
    weights: Weights | None = None
    kernel: Kernel = "torch"
    text: Text | None = None
    mask: Mask | None = None
    tokens: Float[Tensor, "B L"] | None = None
    grid: tuple[int, int] | None = None
    constant: bool = False
    block: int = 0

    def tile(self, rows: slice, heads: slice) -> "SoftmaxCall":
        """Select some rows and heads of the call.

        Args:
            rows: Rows of the batch.
            heads: Heads of the layer.
        """
        return self._replace(
            q=self.q[rows, heads],
            k=self.k[rows, heads],
            v=self.v[rows, heads],
            x=self.x[rows],
            blend=None if self.blend is None else self.blend.rows(rows),
            text=None if self.text is None else Text(self.text.k[rows, heads], self.text.v[rows, heads]),
            mask=None if self.mask is None else _part(_part(self.mask, 0, rows), 1, heads),
            tokens=None if self.tokens is None else self.tokens[rows],
        )

    def of_heads(self, heads: Sequence[int]) -> "SoftmaxCall":
        """Select some heads of the call, in all rows.

        Args:
            heads: Numbers of the heads, from 0.
        """
        text = None if self.text is None else Text(picked(self.text.k, heads), picked(self.text.v, heads))
        mask = self.mask if self.mask is None or self.mask.shape[1] == 1 else picked(self.mask, heads)
        q, k, v = (picked(each, heads) for each in (self.q, self.k, self.v))
        return self._replace(q=q, k=k, v=v, text=text, mask=mask)

    def weights_of(self, queries: slice) -> Callable[[Tensor], Tensor] | None:
        """Return the function that replaces softmax for some of the queries; None: it is softmax.

        Args:
            queries: Which of the L queries.
        """
        weights = self.weights
        return None if weights is None else lambda logits: weights(logits, queries)

    def mask_of(self, tokens: slice) -> Mask | None:
        """Return the mask of some of the queries; None if the call has none.

        Args:
            tokens: Which of the L queries.
        """
        return None if self.mask is None else _part(self.mask, 2, tokens)


def picked(tensor: Tensor, heads: Sequence[int], dim: int = 1) -> Tensor:
    """Select some of the heads as views, because a list of indices would be copied to the device.

    Args:
        tensor: Any tensor with a dimension for heads.
        heads: Numbers of the heads, from 0.
        dim: The dimension of the heads.
    """
    return torch.cat([tensor.narrow(dim, head, 1) for head in heads], dim=dim)


def _part(mask: Tensor, dim: int, part: slice) -> Tensor:
    """Select a part of a mask along a dimension. A mask of size 1 there is returned whole."""
    if mask.shape[dim] == 1:
        return mask
    return mask[(slice(None),) * dim + (part,)]
