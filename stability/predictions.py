"""The predictions of guidance's branches in one step, as a rule of guidance gets them."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Predictions(NamedTuple):
    """The model's predictions with and without the prompt, for the samples of a batch.

    Args:
        cond: With the prompt, in float32.
        uncond: Without it, or with a negative prompt.
        scale: The pipeline's own guidance scale g.
    """

    cond: Float[Tensor, "n *shape"]
    uncond: Float[Tensor, "n *shape"]
    scale: float

    def guided(self, scale: float | None = None) -> Float[Tensor, "n *shape"]:
        """Guide by a scale g: uncond + g (cond - uncond).

        Args:
            scale: The scale g; None: the pipeline's own.
        """
        return self.uncond + (self.scale if scale is None else scale) * (self.cond - self.uncond)
