"""One softmax of a self-attention, as a knob sees it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

Kernel = Literal["torch", "triton"]
"""What computes plain and skewed softmax. Their sums differ in the last bits."""
Weights = Callable[[Tensor], Tensor]
"""Logits (B, H, T, L) of some of the rows, heads and tokens -> the weights of their keys, each row by itself."""


class Blend(NamedTuple):
    """The skew knob's retrieval Xi + beta (Xi_alpha - Xi): one value a row."""

    alpha: Float[Tensor, "B 1 1 1"]
    beta: Float[Tensor, "B 1 1 1"]
    rescale: bool

    def rows(self, rows: slice) -> "Blend":
        """The same for some rows."""
        return Blend(self.alpha[rows], self.beta[rows], self.rescale)


class SoftmaxCall(NamedTuple):
    """softmax(scale q k') v of one layer and step, and what else there is to know. A knob returns another.

    Args:
        q: What enters the softmax, after norms and rotary embedding. A knob may give another width to q and k.
        k: As `q`.
        v: Values, with the bias of their projection.
        x: The layer's input, which the measures' retrieval weighs in place of `v`.
        scale: Factor of the logits.
        branches: Branches of guidance: rows are branches x samples, uncond first.
        blend: A second softmax, of the scaled skew-symmetric part, that is blended in.
        weights: What takes the place of softmax over the keys; None: softmax.
        kernel: What computes softmaxes.
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
