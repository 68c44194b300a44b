"""Guidance with another scale."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("guidance")
class Guidance(Rule):
    """Guide with the knob's scale: D = uncond + scale (cond - uncond).

    The pipeline's own scale then applies only outside the window and at the start of a schedule. With a schedule, the
    guidance scale changes over the steps (Wang et al., "Analysis of Classifier-Free Guidance Weight Schedulers",
    arXiv 2404.13040).

    Raises ValueError for a value that is not allowed. Source: Ho and Salimans, "Classifier-Free Diffusion Guidance",
    arXiv 2207.12598, in diffusers' form, in which 1 is no guidance.
    """

    scale: Annotated[Annotated[Number, Field(ge=0)] | None, Strength("g", low=1, high=12, log=True)] = None
    """The guidance scale. 1: no guidance; 0: no prompt. Default: the pipeline's own scale."""

    @classmethod
    def neutral(cls) -> Self:
        return cls()

    @classmethod
    def example(cls) -> Self:
        return cls(scale=7.5)

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        return predictions.guided(self.scale)
