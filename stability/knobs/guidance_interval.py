"""Guidance only in an interval of the steps."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.stability.knobs.rule import Rule
from skewbench.stability.knobs.schedule import covers

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@knob("guidance_interval")
class GuidanceInterval(Rule):
    """Guide only in an interval of the steps. In other steps the prediction is the one with the prompt (scale 1).

    The paper's interval is over noise levels. Here it is over steps, which the scheduler maps to noise levels.

    Raises ValueError for a value that is not allowed. Source: Kynkäänniemi et al., "Applying Guidance in a Limited
    Interval Improves Sample and Distribution Quality in Diffusion Models", arXiv 2404.07724.
    """

    start: Annotated[Number, Field(ge=0, le=1), Strength("from")] = 0.0
    """The first step with guidance, as a fraction of the steps."""
    stop: Annotated[Number, Field(ge=0, le=1), Strength("to")] = 1.0
    """The end of the steps with guidance, as a fraction of the steps."""

    @classmethod
    def neutral(cls) -> Self:
        return cls()

    @classmethod
    def example(cls) -> Self:
        return cls(start=0.2, stop=0.8)

    def check_steps(self, steps: int) -> None:
        """Also raises ValueError if no step is guided."""
        super().check_steps(steps)
        if not any(self._guides(step, steps) for step in range(steps)):
            interval = f"start={self.start}, stop={self.stop}"
            raise ValueError(f"{interval}: guides none of the {steps} steps; for no guidance use a scale of 1")

    def state(self, step: int, steps: int) -> Hashable:
        """As of every rule. In the steps of the interval it does what the pipeline does."""
        return None if self._guides(step, steps) else (self.amount(step, steps), self.kind)

    def _guides(self, step: int, steps: int | None) -> bool:
        return covers((self.start, self.stop), step, steps)

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        return predictions.guided() if self._guides(step, steps) else predictions.cond
