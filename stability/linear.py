"""Measures linear attention (Sana): the weights of its keys are relu(q) relu(k)', over their sum, and no softmax.

No knob on attention acts there: skewing the coupling would need negative weights.
"""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from skewbench.stability.interception import Door, Interception, Softmax

FLOOR = 1e-15
"""Added to the sum of a query's weights, as diffusers does."""


def linear_weights(logits: Float[Tensor, "B H T K"], _queries: slice) -> Float[Tensor, "B H T K"]:
    """Compute the weights of linear attention: logits over their sum. Replaces softmax (`stability.softmax.Weights`).

    Args:
        logits: Products of rectified queries and keys.
        _queries: Which queries these are. Not used.
    """
    return logits / (logits.sum(dim=-1, keepdim=True) + FLOOR)


class LinearInterception(Interception):
    """Shows a layer's rectified queries and keys to `see`, in each call of the layer, and changes nothing.

    Args:
        name: The layer's, for messages.
        layer: An attention layer whose block is linear.
        see: Measures them; None: nothing is measured.
    """

    def __init__(self, name: str, layer: nn.Module, see: Callable[[Softmax], None] | None) -> None:
        super().__init__(name, layer, None)
        self._see, self._rectified = see, list[Tensor]()
        self._door = Door(F.relu, self._relu)

    @property
    def acts(self) -> bool:
        """Whether the layer is measured."""
        return self._see is not None

    def _enter(self, layer: Any, inputs: Any) -> None:
        self._rectified.clear()
        super()._enter(layer, inputs)

    def _relu(self, features: Tensor, inplace: bool = False) -> Tensor:
        """The signature of torch's function. The processor calls it with the queries, then with the keys."""
        found = F.relu(features, inplace)
        self._rectified.append(found)
        if self._see is not None and self._x is not None and len(self._rectified) == 2:
            self._reached = True
            q, k = self._rectified[0].mT, self._rectified[1]
            self._see(Softmax(self._x, q, k, k, mask=None, scale=1.0))
        return found
