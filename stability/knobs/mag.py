"""Magnitude-aware guidance."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("mag")
class Mag(Rule):
    """Guide less if the branches differ strongly: D = uncond + w d, w = 1 + (g - 1) exp(-damping |d| / |uncond|).

    d = cond - uncond, with norms over all values of a sample.

    diffusers' guider requests a norm over three dimensions, which torch refuses, so it fails for images.

    Raises ValueError for a value that is not allowed. Source: "MAMBO-G: Magnitude-Aware Mitigation for Boosted
    Guidance", arXiv 2508.03442, as diffusers' guider writes it.
    """

    damping: Annotated[Number, Field(ge=0), Strength("a", plain=0, high=10)]
    """Strength of the damping. 0: plain guidance; the default in diffusers is 8."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(damping=0.0)

    @classmethod
    def example(cls) -> Self:
        return cls(damping=8.0)

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        import torch

        cond, uncond = predictions.cond.flatten(1), predictions.uncond.flatten(1)
        ratio = (cond - uncond).norm(dim=1) / uncond.norm(dim=1).clamp(min=1e-8)
        weight = 1 + (predictions.scale - 1) * torch.exp(-self.damping * ratio)
        each = weight.view(-1, *(1,) * (predictions.cond.ndim - 1))
        return predictions.uncond + each * (predictions.cond - predictions.uncond)
