"""Attention at another temperature."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.base import AttentionKnob
from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob

if TYPE_CHECKING:
    from skewbench.stability.softmax import SoftmaxCall


@knob("temperature")
class Temperature(AttentionKnob):
    """Attention temperature: softmax(q k' / (tau sqrt d)) replaces P, without blend or rescaling.

    Raises ValueError for a value that is not allowed. Source: the paper's comparison.
    """

    tau: Annotated[Number, Field(gt=0), Strength("τ", plain=1, low=0.5, high=2, log=True)]
    """1: plain attention; above 1: flatter attention."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(tau=1.0)

    @classmethod
    def example(cls) -> Self:
        return cls(tau=1.3)

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        return call._replace(k=call.k / self.tau)  # the logits of text keys are unchanged
