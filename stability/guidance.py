"""Applies a guidance rule in a pipeline by changing the outputs of its model.

A pipeline guides by itself: u + g (c - u). What the model returns is changed so that this comes out as the rule's D:

- rows [uncond; cond] of one call: both halves are D, so that D + g (D - D) = D;
- one call for each branch, cond first: cond stays, and uncond becomes cond - (D - cond) / (g - 1).

A weak branch adds s (cond - weak) to D. Without a rule both halves of the rows get it, and thereby what the pipeline
makes of them, whatever its scale.

What the pipeline does after guidance, such as the norms of Qwen-Image and Lumina2, it does to D.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skewbench.stability.control import count_branches
from skewbench.stability.knobs.rule import Rule
from skewbench.stability.loop import Position
from skewbench.stability.predictions import Predictions
from skewbench.stability.weak import Weak


class Guidance:
    """Guides by a rule, with a weak branch, or both, as a forward hook of the model.

    Args:
        rule: The rule; None: the pipeline's own guidance.
        weak: The weak branch; None: no weak branch.
        scale: The pipeline's own guidance scale; None: not known.
        position: The current step and branch of the loop.
        samples: Number of samples in a batch.
        steps: The number of steps; None: not known.
    """

    def __init__(
        self,
        rule: Rule | None,
        weak: Weak | None,
        scale: float | None,
        position: Position,
        samples: int,
        steps: int | None,
    ) -> None:
        self._rule, self._weak, self._scale, self._position = rule, weak, scale, position
        self._samples, self._steps = samples, steps
        self._cond: Tensor | None = None
        self._offset: Tensor | None = None
        self.kind = " and ".join(each.kind for each in (rule, weak) if each is not None)
        self.acts = True
        """False: a `perturb` within this one takes its place."""
        self.has_guided = False
        """Whether it acted at least once."""

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> Any:
        """Change the model's output so that the pipeline's own guidance gives the rule's result."""
        if not self.acts:
            return output
        predicted, replaced = _prediction(output)
        channels = _channels(predicted, inputs, named)
        loop = self._position.loop
        calls = () if loop is None else loop.branches
        branch = self._position.branches(1)[0] if calls else None
        if branch != "uncond":
            self._offset = self._weaken(model, inputs, named, predicted)
        if branch is None:
            return replaced(self._of_rows(predicted, channels))
        if branch == "cond" and (self._scale is None or self._scale <= 1 or "uncond" not in calls):
            return replaced(self._of_one(predicted, channels))
        if branch == "cond":
            self._cond = predicted
            return output
        if branch != "uncond" or self._cond is None:
            raise ValueError(f"{self.kind}: the model is called for {branch} before cond")
        cond, self._cond = self._cond, None
        return replaced(self._of_uncond(cond, predicted, channels))

    def _weaken(
        self, model: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], predicted: Tensor
    ) -> Tensor | None:
        """Compute s (cond - weak) of the present step, in float32; None if no weak branch acts."""
        scale = 0.0 if self._weak is None else self._weak.scale()
        if self._weak is None or scale == 0:
            return None
        weak, _ = _prediction(self._weak.predict(model, inputs, named, len(predicted), self._samples))
        return scale * (predicted[-self._samples :].float() - weak.float())

    def _of_rows(self, predicted: Tensor, channels: slice) -> Tensor:
        branches = count_branches(len(predicted), self._samples)
        if branches == 1 and self._rule is None:
            return self._of_one(predicted, channels)
        if branches != 2:
            raise ValueError(f"{self.kind}: the rows have {branches} branches, not uncond and cond")
        rows = predicted[:, channels].float()
        if self._rule is None:
            guided = rows if self._offset is None else rows + torch.cat([self._offset[:, channels]] * 2)
        else:
            uncond, cond = rows.chunk(2)
            guided = torch.cat([self._guided(cond, uncond, channels)] * 2)
        self.has_guided = True
        return _with_channels(predicted, guided.to(predicted.dtype), channels)

    def _of_one(self, predicted: Tensor, channels: slice) -> Tensor:
        """Apply guidance in a pipeline that does not guide, or whose model has distilled guidance."""
        self.has_guided = True
        if self._offset is None:
            return predicted
        weakened = predicted[:, channels].float() + self._offset[:, channels]
        return _with_channels(predicted, weakened.to(predicted.dtype), channels)

    def _of_uncond(self, cond: Tensor, predicted: Tensor, channels: slice) -> Tensor:
        assert self._scale is not None  # noqa: S101 - else cond was taken for all there is
        self.has_guided = True
        cond, uncond = cond[:, channels].float(), predicted[:, channels].float()
        returned = cond - (self._guided(cond, uncond, channels) - cond) / (self._scale - 1)
        return _with_channels(predicted, returned.to(predicted.dtype), channels)

    def _guided(self, cond: Tensor, uncond: Tensor, channels: slice) -> Tensor:
        assert self._scale is not None  # noqa: S101 - `perturb` asks for it
        predictions = Predictions(cond, uncond, self._scale)
        if self._rule is not None and self._rule.needs_maps and cond.ndim != 4:
            raise ValueError(f"{self.kind} needs predictions of shape (n, channels, rows, columns)")
        step = self._position.step
        guided = predictions.guided() if self._rule is None else self._rule.guided(predictions, step, self._steps)
        return guided if self._offset is None else guided + self._offset[:, channels]


def _prediction(output: Any) -> tuple[Tensor, Any]:
    """Return a model's prediction, and a function that replaces it."""
    if isinstance(output, tuple):
        return output[0], lambda tensor: (tensor, *output[1:])
    return output.sample, lambda tensor: type(output)(**{**output, "sample": tensor})


def _channels(predicted: Tensor, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> slice:
    """Return the channels of the prediction. A model that also predicts a variance has as many again after them."""
    given = next((named[name] for name in ("sample", "hidden_states") if name in named), inputs[0] if inputs else None)
    if isinstance(given, Tensor) and predicted.ndim == given.ndim == 4 and predicted.shape[1] == 2 * given.shape[1]:
        return slice(0, given.shape[1])
    return slice(None)


def _with_channels(predicted: Tensor, new: Tensor, channels: slice) -> Tensor:
    return new if channels == slice(None) else torch.cat([new, predicted[:, channels.stop :]], dim=1)
