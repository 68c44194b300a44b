"""A knob that mixes uniform weights into attention."""

from typing import Annotated, Literal

from pydantic import Field

from skewbench.stability.knobs import AttentionKnob, Number, Strength, knob


@knob("uniform")
class Uniform(AttentionKnob):
    """Mix uniform weights into attention: P becomes (1 - share) P + share / L."""

    share: Annotated[Number, Field(ge=0, le=1), Strength("σ", plain=0)]
    """Share of uniform weights."""
    ramp: Literal["flat", "squared"] = "flat"
    """`squared` squares the share."""

    @classmethod
    def neutral(cls):
        return cls(share=0.0)

    @classmethod
    def example(cls):
        return cls(share=0.5, ramp="squared")

    def act(self, call):
        share = self.share if self.ramp == "flat" else self.share**2

        def weights(logits, queries):
            return (1 - share) * logits.softmax(-1) + share / logits.shape[-1]

        return call._replace(weights=weights)
