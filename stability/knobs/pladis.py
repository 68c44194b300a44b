"""Sparse attention, mixed with dense attention."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from skewbench.stability.knobs.base import AttentionKnob
from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.softmax import SoftmaxCall


@knob("pladis")
class Pladis(AttentionKnob):
    """Extrapolate from dense to sparse attention: P becomes P + share (P_sparse - P).

    P = softmax(q k' / sqrt d), and P_sparse is the alpha-entmax of the same logits, which gives most keys a weight of
    exactly 0. In joint attention both are over text and image together. The paper applies this to cross-attention, with
    share = 2. Here it applies to self-attention, like all knobs, so results can differ from the paper's.

    Raises ValueError for a value that is not allowed. Source: Kim and Sim, "PLADIS: Pushing the Limits of Attention in
    Diffusion Models at Inference Time by Leveraging Sparsity", arXiv 2503.07677.
    """

    share: Annotated[Number, Field(ge=0), Strength("λ", plain=0)]
    """Share of sparse attention. 0: plain attention; 1: sparse attention; above 1 extrapolates."""
    sparse: Literal["entmax", "sparsemax"] = "entmax"
    """`entmax`: alpha = 1.5; `sparsemax`: alpha = 2, which is sparser."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(share=0.0)

    @classmethod
    def example(cls) -> Self:
        return cls(share=2.0)

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        from skewbench.stability import entmax

        sparse = {"entmax": entmax.entmax, "sparsemax": entmax.sparsemax}[self.sparse]

        def weights(logits: "Tensor", queries: slice) -> "Tensor":
            dense = logits.softmax(-1)
            return dense + self.share * (sparse(logits) - dense)

        return call._replace(weights=weights)
