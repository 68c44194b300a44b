"""Prompts are encoded once: a worker keeps what its text encoders made of each prompt, for all seeds and cells."""

import inspect
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch

from skewbench.tasks.generation import LoraSpec

LARGEST = 1 << 30
"""Bytes of embeddings that a worker keeps for a pipeline; the ones that were not used for longest go first."""
Outputs = tuple[torch.Tensor | None, ...]


class Embeddings:
    """Caches what a pipeline's text encoders made of each prompt."""

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
            outputs: What `encode_prompt` returned.
        """
        self._kept[key] = outputs
        self._bytes += _bytes(outputs)
        while self._bytes > LARGEST and len(self._kept) > 1:
            self._bytes -= _bytes(self._kept.popitem(last=False)[1])


def _bytes(outputs: Outputs) -> int:
    return sum(tensor.nbytes for tensor in outputs if tensor is not None)


_kept: WeakKeyDictionary[Any, Embeddings] = WeakKeyDictionary()


@contextmanager
def encoded_once(pipeline: Any, lora: LoraSpec | None) -> Iterator[None]:
    """Within the block, the pipeline's `encode_prompt` encodes each prompt alone, and once.

    An embedding then depends on no other prompt of its batch. Only for pipelines that pad each prompt to one length.

    Args:
        pipeline: The loaded pipeline.
        lora: Its adapters: they change the text encoders too.
    """
    own, adapters = pipeline.encode_prompt, lora and (lora.digest or lora.path, lora.weight)
    parameters = inspect.signature(own)
    kept = _kept.setdefault(pipeline, Embeddings())

    def encode_prompt(*inputs: Any, **named: Any) -> Outputs:
        given = parameters.bind(*inputs, **named).arguments
        prompts = given.get("prompt")
        if not isinstance(prompts, list) or any(isinstance(value, torch.Tensor) for value in given.values()):
            outputs: Outputs = own(*inputs, **named)
            return outputs
        alone = [{name: _of_row(name, value, row) for name, value in given.items()} for row in range(len(prompts))]
        return _joined([_encoded(arguments) for arguments in alone])

    def _encoded(arguments: dict[str, Any]) -> Outputs:
        key = (adapters, repr(sorted(arguments.items())))
        if (found := kept.find(key)) is None:
            found = tuple(own(**arguments))
            kept.keep(key, found)
        return found

    pipeline.encode_prompt = encode_prompt
    try:
        yield
    finally:
        del pipeline.encode_prompt


def _of_row(name: str, value: Any, row: int) -> Any:
    """An argument of one prompt: lists of texts have an item for each. Sana's instruction, a list too, is whole."""
    return [value[row]] if isinstance(value, list) and name.startswith(("prompt", "negative_prompt")) else value


def _joined(rows: Sequence[Outputs]) -> Outputs:
    """The outputs of a batch; what is not of one prompt, as FLUX's positions of tokens, is the same for all."""
    return tuple(
        torch.cat([row[place] for row in rows])  # type: ignore[misc]
        if output is not None and len(output) == 1
        else output
        for place, output in enumerate(rows[0])
    )
