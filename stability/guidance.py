"""Puts a rule of guidance into a pipeline, by what its model returns.

A pipeline guides by itself: u + g (c - u). What the model returns is changed so that this comes out as the rule's D:

- rows [uncond; cond] of one call: both halves are D, so that D + g (D - D) = D;
- one call for each branch, cond first: cond stays, and uncond becomes cond - (D - cond) / (g - 1).

What the pipeline does after guidance, such as the norms of Qwen-Image and Lumina2, it does to D.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from skewbench.stability.control import count_branches
from skewbench.stability.knobs.rule import Rule
from skewbench.stability.loop import Position
from skewbench.stability.predictions import Predictions


class Guidance:
    """Guides by a rule, as a forward hook of the model.

    Args:
        rule: The rule.
        scale: The pipeline's own guidance scale.
        position: Where the loop is.
        samples: How many samples a batch has.
        steps: The number of steps; None: not known.
    """

    def __init__(self, rule: Rule, scale: float, position: Position, samples: int, steps: int | None) -> None:
        self._rule, self._scale, self._position = rule, scale, position
        self._samples, self._steps = samples, steps
        self._cond: Tensor | None = None
        self.kind = rule.kind
        self.acts = True
        """False: a `perturb` within this one takes its place."""
        self.has_guided = False
        """Whether both branches were seen at least once."""

    def __call__(self, model: Any, inputs: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> Any:
        """What the model returns, so that the pipeline guides by the rule."""
        if not self.acts:
            return output
        predicted, replaced = _prediction(output)
        channels = _channels(predicted, inputs, named)
        if not self._calls:
            return replaced(self._of_rows(predicted, channels))
        (branch,) = self._position.branches(1)
        if branch == "cond":
            self._cond = predicted
            return output
        if branch != "uncond" or self._cond is None:
            raise ValueError(f"{self._rule.kind}: the model is called for {branch} before cond")
        cond, self._cond = self._cond, None
        return replaced(self._of_uncond(cond, predicted, channels))

    @property
    def _calls(self) -> bool:
        loop = self._position.loop
        return loop is not None and bool(loop.branches)

    def _of_rows(self, predicted: Tensor, channels: slice) -> Tensor:
        branches = count_branches(len(predicted), self._samples)
        if branches != 2:
            raise ValueError(f"{self._rule.kind}: the rows have {branches} branches, not uncond and cond")
        uncond, cond = predicted[:, channels].chunk(2)
        guided = self._guided(cond, uncond).to(predicted.dtype)
        return _with_channels(predicted, torch.cat([guided, guided]), channels)

    def _of_uncond(self, cond: Tensor, predicted: Tensor, channels: slice) -> Tensor:
        cond, uncond = cond[:, channels].float(), predicted[:, channels]
        returned = cond - (self._guided(cond, uncond) - cond) / (self._scale - 1)
        return _with_channels(predicted, returned.to(predicted.dtype), channels)

    def _guided(self, cond: Tensor, uncond: Tensor) -> Tensor:
        self.has_guided = True
        if self._rule.needs_maps and cond.ndim != 4:
            raise ValueError(f"{self._rule.kind} needs predictions of shape (n, channels, rows, columns)")
        predictions = Predictions(cond.float(), uncond.float(), self._scale)
        return self._rule.guided(predictions, self._position.step, self._steps)


def _prediction(output: Any) -> tuple[Tensor, Any]:
    """What a model predicts, and a function that puts something else into its place."""
    if isinstance(output, tuple):
        return output[0], lambda tensor: (tensor, *output[1:])
    return output.sample, lambda tensor: type(output)(**{**output, "sample": tensor})


def _channels(predicted: Tensor, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> slice:
    """The channels of the prediction; a model that also predicts a variance has as many again after them."""
    given = next((named[name] for name in ("sample", "hidden_states") if name in named), inputs[0] if inputs else None)
    if isinstance(given, Tensor) and predicted.ndim == given.ndim == 4 and predicted.shape[1] == 2 * given.shape[1]:
        return slice(0, given.shape[1])
    return slice(None)


def _with_channels(predicted: Tensor, new: Tensor, channels: slice) -> Tensor:
    return new if channels == slice(None) else torch.cat([new, predicted[:, channels.stop :]], dim=1)
