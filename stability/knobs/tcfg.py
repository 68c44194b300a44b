"""Tangential damping of guidance."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("tcfg")
class Tcfg(Rule):
    """Guide from the part of uncond that agrees with cond: D = u + g (cond - u), u = <uncond, v> v.

    v is the leading right singular vector of the two predictions of a sample, stacked as two rows. `share` mixes this
    with plain guidance: u = uncond + share (<uncond, v> v - uncond).

    diffusers' guider computes a singular value decomposition, which makes the host wait for the device. Here v is
    computed in closed form from the 2 x 2 matrix of the predictions' products.

    Raises ValueError for a value that is not allowed. Source: Kwon et al., "TCFG: Tangential Damping Classifier-free
    Guidance", arXiv 2503.18137; the mixture is this project's.
    """

    share: Annotated[Number, Field(ge=0, le=1), Strength("w", plain=0)] = 1.0
    """0: plain guidance; 1: the paper's guidance."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(share=0.0)

    @classmethod
    def example(cls) -> Self:
        return cls()

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        import torch

        cond, uncond = (each.flatten(1).double() for each in (predictions.cond, predictions.uncond))
        cc, uu, cu = ((a * b).sum(1, keepdim=True) for a, b in ((cond, cond), (uncond, uncond), (cond, uncond)))
        angle = torch.atan2(2 * cu, cc - uu) / 2  # of the leading eigenvector of [[cc, cu], [cu, uu]]
        v = angle.cos() * cond + angle.sin() * uncond
        along = (uncond * v).sum(1, keepdim=True) / v.square().sum(1, keepdim=True).clamp(min=1e-30) * v
        damped = along.view_as(predictions.uncond).to(predictions.uncond.dtype)
        return predictions._replace(uncond=predictions.uncond.lerp(damped, self.share)).guided()
