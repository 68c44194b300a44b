"""Frequency-decoupled guidance."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("fdg")
class Fdg(Rule):
    """Guide low and high frequencies by separate scales: D = uncond + high d + (low - high) L d.

    d = cond - uncond, and L d is the lower level of its Laplacian pyramid of two levels: d is blurred by the binomial
    kernel [1 4 6 4 1] / 16 along both sides, halved, and then enlarged and blurred again.

    diffusers' guider needs the package kornia. With two levels the pyramid needs only a few lines.

    Raises ValueError for a value that is not allowed. Source: Sadat et al., "Guidance in the Frequency Domain Enables
    High-Fidelity Sampling at Low CFG Scales", arXiv 2506.19713.
    """

    low: Annotated[Annotated[Number, Field(ge=0)] | None, Strength("g low", low=1, high=12, log=True)] = None
    """Scale of low frequencies. Default: the pipeline's own."""
    high: Annotated[Annotated[Number, Field(ge=0)] | None, Strength("g high", low=1, high=12, log=True)] = None
    """Scale of high frequencies. Default: the pipeline's own."""

    needs_maps: ClassVar[bool] = True

    @classmethod
    def neutral(cls) -> Self:
        return cls()

    @classmethod
    def example(cls) -> Self:
        return cls(low=2.0, high=7.5)

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        from skewbench.stability.pyramid import low_frequencies

        low, high = (predictions.scale if scale is None else scale for scale in (self.low, self.high))
        return predictions.guided(high) + (low - high) * low_frequencies(predictions.cond - predictions.uncond)
