"""The weak branch of guidance: the model's prediction of cond under a knob on attention."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skewbench.stability.knobs import AttentionKnob
from skewbench.stability.loop import Position

_OF_ALL_ROWS = ("img_ids", "txt_ids", "image_rotary_emb")
"""Arguments without a dimension for the rows of a batch."""


class Weak:
    """Evaluates the model once more, under a knob.

    Args:
        knob: The knob, whose `weak` is the scale.
        position: The current step and branch of the loop.
        steps: The number of steps; None: not known.
    """

    def __init__(self, knob: AttentionKnob, position: Position, steps: int | None) -> None:
        self.kind = knob.kind
        self._knob, self._position, self._steps = knob, position, steps

    def scale(self) -> float:
        """The scale in the present step; 0 outside the knob's window."""
        knob = self._knob.at(self._position.step, self._steps)
        return 0.0 if knob is None or knob.weak is None else knob.weak

    def predict(self, model: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], rows: int, last: int) -> Any:
        """Evaluate the model under the knob for the last rows of a call.

        Args:
            model: The model.
            inputs: The arguments of its call.
            named: Those given by name.
            rows: Rows of the call.
            last: Number of the last rows, which are those of cond.
        """
        inputs = tuple(_last(value, rows, last) for value in inputs)
        named = {name: value if name in _OF_ALL_ROWS else _last(value, rows, last) for name, value in named.items()}
        self._position.weak = True
        try:
            return model.forward(*inputs, **named)
        finally:
            self._position.weak = False


def _last(value: Any, rows: int, last: int) -> Any:
    """Select the last rows of an argument, at any depth. Values without rows are unchanged."""
    if isinstance(value, torch.Tensor):
        return value[-last:] if value.ndim > 0 and len(value) == rows else value
    if isinstance(value, dict):
        return {name: _last(each, rows, last) for name, each in value.items()}
    if isinstance(value, tuple | list) and any(isinstance(each, Tensor | dict | tuple | list) for each in value):
        return type(value)(_last(each, rows, last) for each in value)
    return value
