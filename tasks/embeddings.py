"""Encodes prompts once: a worker caches the embeddings of each prompt for all seeds and cells."""

import inspect
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import pad

from skewbench.tasks.families.contract import PromptEncoding
from skewbench.tasks.generation import LoraSpec

LARGEST = 1 << 30
"""Bytes of embeddings that a worker keeps for a pipeline; the ones that were not used for longest go first."""
Outputs = tuple[Any, ...]
"""The embeddings that a pipeline returned for a prompt: tensors, or None for kinds that it does not have."""


class Embeddings:
    """Caches the embeddings of a pipeline's text encoders for each prompt."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Outputs] = OrderedDict()
        self._bytes = 0

    def find(self, key: Any) -> Outputs | None:
        """Return the outputs that were kept under a key; None if there are none.

        Args:
            key: Hashable key of a prompt and its settings.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Any, outputs: Outputs) -> None:
        """Keep outputs under a key. The least recently used others are dropped while all exceed `LARGEST` bytes.

        Args:
            key: Hashable key of a prompt and its settings.
            outputs: What the pipeline returned for the prompt.
        """
        self._kept[key] = outputs
        self._bytes += _bytes(outputs)
        while self._bytes > LARGEST and len(self._kept) > 1:
            self._bytes -= _bytes(self._kept.popitem(last=False)[1])


def _bytes(outputs: Outputs) -> int:
    return sum(tensor.nbytes for tensor in outputs if tensor is not None)


_kept: WeakKeyDictionary[Any, Embeddings] = WeakKeyDictionary()
_GUIDED = "do_classifier_free_guidance"
"""Argument of methods that encode prompts."""


@contextmanager
def encoded_once(pipeline: Any, lora: LoraSpec | None, encoding: PromptEncoding) -> Iterator[None]:
    """Within the block, the pipeline encodes each prompt once and outside any batch.

    An embedding then depends on no other prompt of its batch. In a batch, it is padded to the longest, under a mask.

    Args:
        pipeline: The loaded pipeline.
        lora: Its adapters: they change the text encoders too.
        encoding: The method that encodes prompts.
    """
    own, adapters = getattr(pipeline, encoding.method), lora and (lora.digest or lora.path, lora.weight)
    parameters = inspect.signature(own)
    kept = _kept.setdefault(pipeline, Embeddings())

    def encode_prompt(*inputs: Any, **named: Any) -> Any:
        given = parameters.bind(*inputs, **named).arguments
        prompts = given.get("prompt")
        if not isinstance(prompts, list) or any(isinstance(value, torch.Tensor) for value in given.values()):
            return own(*inputs, **named)
        alone = [{name: _of_row(name, value, row) for name, value in given.items()} for row in range(len(prompts))]
        branches = 2 if encoding.stacked and given.get(_GUIDED) else 1
        outputs = _joined([_encoded(arguments) for arguments in alone], branches, encoding.masked)
        return outputs if len(outputs) > 1 else outputs[0]

    def _encoded(arguments: dict[str, Any]) -> Outputs:
        key = (adapters, repr(sorted(arguments.items())))
        if (found := kept.find(key)) is None:
            made = own(**arguments)
            found = (made,) if isinstance(made, torch.Tensor) else tuple(made)
            kept.keep(key, found)
        return found

    setattr(pipeline, encoding.method, encode_prompt)
    try:
        yield
    finally:
        delattr(pipeline, encoding.method)


def _of_row(name: str, value: Any, row: int) -> Any:
    """An argument of one prompt: lists of texts have an item for each. Sana's instruction, a list too, is whole."""
    return [value[row]] if isinstance(value, list) and name.startswith(("prompt", "negative_prompt")) else value


def _joined(rows: Sequence[Outputs], branches: int, masked: bool) -> Outputs:
    """The outputs of a batch: rows of the first branch of all prompts, then those of the second."""
    if masked and len({states.shape[1] for states, *_ in rows}) > 1:
        rows = _padded(rows)
    return tuple(_stacked([row[place] for row in rows], branches) for place in range(len(rows[0])))


def _stacked(values: Sequence[Any], branches: int) -> Any:
    """One output of a batch. Outputs that do not belong to a prompt, such as FLUX's token positions, are shared."""
    first = values[0]
    if first is None or len(first) != branches:
        return first
    return torch.cat([value[branch : branch + 1] for branch in range(branches) for value in values])


def _padded(rows: Sequence[Outputs]) -> list[Outputs]:
    """Outputs with zeros after the shorter prompts, and masks that leave these out."""
    longest = max(states.shape[1] for states, *_ in rows)
    padded = []
    for states, mask, *others in rows:
        missing = longest - states.shape[1]
        whole = states.new_ones(states.shape[:2], dtype=torch.long) if mask is None else mask
        padded.append((pad(states, (0, 0, 0, missing)), pad(whole, (0, missing)), *others))
    return padded
