"""Takes a model's first calls from an earlier generation that agrees with this one up to a step."""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter, tree_map

from skewbench.stability.entries import Entry
from skewbench.stability.loop import Position
from skewbench.stability.recorder import Recorder


class Call(NamedTuple):
    """One evaluation of the model, that of a weak branch included."""

    step: int
    """The loop's, from 0."""
    output: Any
    """What the model returned, before any guidance rule."""
    entries: tuple[Entry, ...]
    """What was recorded meanwhile."""

    @property
    def nbytes(self) -> int:
        """Bytes of the output and of what was recorded."""
        tensors = [*tree_iter(self.output), *(value for entry in self.entries for value in entry.values.values())]
        return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, Tensor))


class Trajectory:
    """The first calls of a generation: known ones are answered without the model, and some are kept for others.

    The pipeline and its scheduler run as always, so what follows equals a generation of its own to the bit.

    Args:
        known: Calls of an earlier generation, in their order. Prompts, noise, batch and settings up to there must be
            the same.
        keep: Number of steps whose calls are kept.
    """

    def __init__(self, known: Sequence[Call] = (), keep: int = 0) -> None:
        self.known, self._keep, self._made = tuple(known), keep, 0
        self.calls: list[Call] = []
        """The kept calls."""

    @property
    def share(self) -> float:
        """The share of the model's calls that were answered from the known ones."""
        return min(len(self.known), self._made) / self._made if self._made else 0.0

    @contextmanager
    def through(self, model: nn.Module, position: Position, recorder: Recorder | None) -> Iterator[None]:
        """Answer or keep the calls of a model within a `with` block.

        Args:
            model: The model. Its `forward` is replaced for that time.
            position: The current step of the loop.
            recorder: Gets the entries of known calls.
        """
        own, replaced = model.forward, "forward" in vars(model)

        @functools.wraps(own)
        def forward(*inputs: Any, **named: Any) -> Any:
            call, self._made = self._answer(own, inputs, named, position.step, recorder), self._made + 1
            if call.step < self._keep:
                self.calls.append(call._replace(output=_copy(call.output)))
            return call.output

        model.forward = forward
        try:
            yield
        finally:
            if replaced:
                model.forward = own
            else:
                del model.forward

    def _answer(self, own: Any, inputs: Any, named: Any, step: int, recorder: Recorder | None) -> Call:
        if self._made < len(self.known):
            call = self.known[self._made]
            if recorder is not None:
                recorder.add(call.entries)
            return call._replace(output=_copy(call.output))
        before = 0 if recorder is None else recorder.count
        output = own(*inputs, **named)
        return Call(step, output, () if recorder is None else recorder.entries_from(before))


def _copy(output: Any) -> Any:
    """Copy a model's output, because a pipeline may change it in place."""
    return tree_map(lambda value: value.clone() if isinstance(value, torch.Tensor) else value, output)
