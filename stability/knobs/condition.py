"""The base class of knobs on the condition."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic.dataclasses import dataclass

from skewbench.stability.knobs.base import CONFIG, Place, SteppedKnob

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class ConditionKnob(SteppedKnob):
    """A knob on the text's embeddings, before the model reads them.

    It acts on the prompt's own embeddings (the rows or the call of cond), not on those of uncond.
    """

    place: ClassVar[Place] = "condition"

    def act(self, embeddings: "Tensor", step: int, steps: int | None, generators: "Sequence[Generator]") -> "Tensor":
        """Change the embeddings.

        Must not wait for the device, and must treat samples independently.

        Args:
            embeddings: Of the text's tokens, in float32 (n, tokens, width).
            step: The step's number, from 0.
            steps: The number of steps; None: not known.
            generators: One for each sample, on the CPU, for this step and kind of embeddings only.

        Returns:
            Other embeddings of the same shape.
        """
        raise NotImplementedError

    def conditioned(
        self, embeddings: "Tensor", step: int, steps: int | None, generators: "Sequence[Generator]"
    ) -> "Tensor":
        """Return the embeddings of a step: the result of `act`, weighted by window and schedule.

        Args:
            embeddings: As for `act`.
            step: As for `act`.
            steps: As for `act`.
            generators: As for `act`.
        """
        share = self.amount(step, steps)
        if share == 0:
            return embeddings
        changed = self.act(embeddings, step, steps, generators)
        return changed if share == 1 else embeddings.lerp(changed, share)
