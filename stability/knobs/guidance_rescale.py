"""Guidance that keeps the contrast of the conditional prediction."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("guidance_rescale")
class GuidanceRescale(Rule):
    """Rescale the guided prediction to the spread of the conditional one: D' = (1 - phi) D + phi D s_cond / s_D.

    D is the pipeline's own guided prediction; s is the standard deviation over all values of a sample.

    Raises ValueError for a value that is not allowed. Source: Lin et al., "Common Diffusion Noise Schedules and Sample
    Steps are Flawed", arXiv 2305.08891, section 3.4, by diffusers' `rescale_noise_cfg`.
    """

    only_scales: ClassVar[bool] = True
    share: Annotated[Number, Field(ge=0, le=1), Strength("φ", plain=0)]
    """phi. 0: plain guidance; the paper uses 0.7."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(share=0.0)

    @classmethod
    def example(cls) -> Self:
        return cls(share=0.7)

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        from diffusers.guiders.guider_utils import rescale_noise_cfg

        rescaled: Tensor = rescale_noise_cfg(predictions.guided(), predictions.cond, self.share)
        return rescaled
