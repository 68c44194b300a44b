"""Puts a knob on the condition into a pipeline: the model gets other embeddings of the prompt."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from skewbench.stability.knobs.condition import ConditionKnob
from skewbench.stability.loop import Position

EMBEDDINGS = ("encoder_hidden_states", "encoder_hidden_states_1", "encoder_hidden_states_t5")
"""Arguments of models that contain embeddings of the text's tokens."""


class Conditioning:
    """Changes the embeddings, as a forward pre-hook of the model.

    Args:
        knob: The knob.
        position: The current step and branch of the loop.
        noise_seeds: One for each sample.
        steps: The number of steps; None: not known.
    """

    def __init__(self, knob: ConditionKnob, position: Position, noise_seeds: Sequence[int], steps: int | None) -> None:
        self._knob, self._position, self._seeds, self._steps = knob, position, tuple(noise_seeds), steps
        self.acts = True
        """False: a `perturb` within this one takes its place."""

    def __call__(self, model: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        """Return the arguments of the model's call with changed embeddings in the rows of cond."""
        if not self.acts or self._of_uncond():
            return None
        there = {name: named[name] for name in EMBEDDINGS if isinstance(named.get(name), Tensor)}
        if not there:
            raise ValueError(f"{self._knob.kind}: {type(model).__name__} is not given encoder_hidden_states by name")
        return inputs, {**named, **{name: self._changed(name, value) for name, value in there.items()}}

    def _of_uncond(self) -> bool:
        loop = self._position.loop
        return loop is not None and bool(loop.branches) and self._position.branches(1)[0] != "cond"

    def _changed(self, name: str, embeddings: Tensor) -> Tensor:
        samples, step = len(self._seeds), self._position.step
        if len(embeddings) % samples:
            raise ValueError(f"{len(embeddings)} rows are not a multiple of {samples} samples")
        others, cond = embeddings[:-samples], embeddings[-samples:]
        generators = [_generator(seed, name, step) for seed in self._seeds]
        changed = self._knob.conditioned(cond.float(), step, self._steps, generators)
        return torch.cat([others, changed.to(embeddings.dtype)])


def noise_like(
    embeddings: Float[Tensor, "n tokens width"], generators: Sequence[torch.Generator]
) -> Float[Tensor, "n tokens width"]:
    """Draw normal noise with the shape, dtype and device of embeddings.

    Args:
        embeddings: Embeddings of the text's tokens, one row per sample.
        generators: One for each sample, on the CPU. Each generates the noise of its sample.
    """
    shape = embeddings.shape[1:]
    noise = torch.stack([torch.randn(shape, generator=each) for each in generators])
    if embeddings.device.type == "cuda":
        noise = noise.pin_memory()  # from other memory the copy would wait for the device
    return noise.to(embeddings.device, embeddings.dtype, non_blocking=True)


def _generator(noise_seed: int, name: str, step: int) -> torch.Generator:
    """Make a sample's generator. Its seed differs from the noise seed, which the sample's latents use."""
    digest = sha256(f"{noise_seed} {name} {step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
