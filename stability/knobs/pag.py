"""Perturbed attention: each token attends to itself."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.base import AttentionKnob
from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.softmax import SoftmaxCall


@knob("pag")
class Pag(AttentionKnob):
    """Mix the identity into attention: P becomes (1 - share) P + share I.

    share = 1 is the identity attention of the paper, which uses it as the weak branch of guidance, mostly in the middle
    of a UNet. In joint attention only the diagonal of the image's block of the logits remains, and the text's logits
    are unchanged: each image token attends to itself and to the text, as in diffusers' pipeline for Stable Diffusion 3.

    Raises ValueError for a value that is not allowed. Source: Ahn et al., "Self-Rectifying Diffusion Sampling with
    Perturbed-Attention Guidance", arXiv 2403.17377, equation of the identity attention; the mixture is this project's.
    """

    share: Annotated[Number, Field(ge=0, le=1), Strength("p", plain=0)]
    """Share of the identity. 0: plain attention; 1: the identity."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(share=0.0)

    @classmethod
    def example(cls) -> Self:
        return cls(share=1.0)

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        import torch

        length = call.k.shape[2]

        def weights(logits: "Tensor", queries: slice) -> "Tensor":
            keys = torch.arange(logits.shape[-1], device=logits.device)
            own = keys == torch.arange(queries.start, queries.stop, device=logits.device)[:, None]
            alone = logits.masked_fill(~own & (keys < length), -torch.inf).softmax(-1)
            return (1 - self.share) * logits.softmax(-1) + self.share * alone

        return call._replace(weights=weights)
