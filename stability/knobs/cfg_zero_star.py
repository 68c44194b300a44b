"""CFG-Zero*."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, Strict

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("cfg_zero_star")
class CfgZeroStar(Rule):
    """Guide from the best multiple of uncond: D = s uncond + g (cond - s uncond), s = <cond, uncond> / |uncond|^2.

    `share` mixes this with plain guidance: D_own + share (D - D_own). In the first `zero_steps` steps D is 0, which is
    useful only for flow matching.

    Raises ValueError for a value that is not allowed. Source: Fan et al., "CFG-Zero*: Improved Classifier-Free Guidance
    for Flow Matching Models", arXiv 2503.18886, by diffusers' guider; the mixture is this project's.
    """

    share: Annotated[Number, Field(ge=0, le=1), Strength("w", plain=0)] = 1.0
    """0: plain guidance; 1: the paper's guidance."""
    zero_steps: Annotated[int, Strict(), Field(ge=0)] = 0
    """Number of first steps in which the prediction is 0. Only for flow matching."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(share=0.0)

    @classmethod
    def example(cls) -> Self:
        return cls()

    @property
    def needs_flow_matching(self) -> bool:
        return self.zero_steps > 0

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        from skewbench.stability.guiders import guide

        ruled = guide("ClassifierFreeZeroStarGuidance", predictions, step, zero_init_steps=self.zero_steps)
        return predictions.guided().lerp(ruled, self.share)
