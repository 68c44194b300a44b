"""Adaptive projected guidance."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("apg")
class Apg(Rule):
    """Guide less along the prediction itself: D = cond + (g - 1) (d_orthogonal + eta d_parallel).

    d = cond - uncond, with its norm clipped at `norm`; d_parallel is its part along cond. eta = 1 without `norm` is
    plain guidance. The paper projects predictions of the clean image. Here, as in diffusers, the model's own prediction
    is projected. The paper's momentum is not available, because it carries state from step to step and knobs have no
    state.

    Raises ValueError for a value that is not allowed. Source: Sadat et al., "Eliminating Oversaturation and Artifacts
    of High Guidance Scales in Diffusion Models", arXiv 2410.02416, by diffusers' guider in its original formulation.
    (Its other formulation adds g times the projected difference to uncond, which equals the paper's only for eta = 1.)
    """

    eta: Annotated[Number, Field(ge=0), Strength("∥", high=1)] = 0.0
    """Weight of the part along the prediction; 1 keeps all of it."""
    norm: Annotated[Annotated[Number, Field(gt=0)] | None, Strength("r")] = None
    """Largest norm of the difference. Default: no limit."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(eta=1.0)

    @classmethod
    def example(cls) -> Self:
        return cls(eta=0.0, norm=15.0)

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        from skewbench.stability.guiders import guide

        settings = {"eta": self.eta, "adaptive_projected_guidance_rescale": self.norm or 0.0}
        original = predictions._replace(scale=predictions.scale - 1)
        return guide("AdaptiveProjectedGuidance", original, step, use_original_formulation=True, **settings)
