"""The base class of knobs on predictions: rules of guidance."""

from typing import TYPE_CHECKING, ClassVar

from pydantic.dataclasses import dataclass

from skewbench.stability.knobs.base import CONFIG, Place, SteppedKnob

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.predictions import Predictions


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Rule(SteppedKnob):
    """A guidance rule, which replaces uncond + g (cond - uncond).

    g is the pipeline's own guidance scale. Outside the rule's window the pipeline's own guidance stays, and a schedule
    runs from it to the rule.
    """

    place: ClassVar[Place] = "predictions"
    needs_maps: ClassVar[bool] = False
    """Whether predictions must be maps (n, channels, rows, columns), not sequences of tokens."""
    only_scales: ClassVar[bool] = False
    """Whether it only scales a sample's prediction, which some pipelines undo."""

    @property
    def needs_flow_matching(self) -> bool:
        """Whether the setting applies only to flow-matching models."""
        return False

    def act(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        """Guide.

        Must not wait for the device, and must treat samples independently.

        Args:
            predictions: The branches' predictions, in float32.
            step: The step's number, from 0.
            steps: The number of steps; None: not known.

        Returns:
            The guided prediction (n, ...).
        """
        raise NotImplementedError

    def guided(self, predictions: "Predictions", step: int, steps: int | None) -> "Tensor":
        """Return the guided prediction of a step: the result of `act`, weighted by window and schedule.

        Args:
            predictions: As for `act`.
            step: As for `act`.
            steps: As for `act`.
        """
        share = self.amount(step, steps)
        if share == 0:
            return predictions.guided()
        ruled = self.act(predictions, step, steps)
        return ruled if share == 1 else predictions.guided().lerp(ruled, share)
