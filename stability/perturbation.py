"""Puts a knob and a recorder onto a model for as long as a `with` block lasts."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0
from torch import nn

from skewbench.stability.attention import Calls, SelfAttentionProcessor
from skewbench.stability.blocks import Block, select
from skewbench.stability.fused import check as check_kernel
from skewbench.stability.knobs import AttentionKnob, Knob, covers
from skewbench.stability.numbering import numbered
from skewbench.stability.recorder import Recorder
from skewbench.stability.softmax import Kernel


@contextmanager
def perturb(
    model: nn.Module,
    knob: Knob,
    recorder: Recorder | None = None,
    samples: int | None = None,
    steps: int | None = None,
    kernel: Kernel = "torch",
) -> Iterator[None]:
    """Put the model's self-attentions under a knob, and measure them, within a `with` block.

    The model's processors come back whatever happens. A `perturb` within another takes its place until it ends.

    Args:
        model: Any module with diffusers' `Attention` layers in it, or such a layer itself. Its calls are counted.
        knob: What is done to them; `Vanilla()`: nothing.
        recorder: Measures all self-attentions, also those that the knob leaves alone.
        samples: How many samples the rows of a batch stand for (rows = branches x samples, uncond first, as diffusers
            concatenates them); None: each row its own.
        steps: The number of the model's calls, where the knob's window asks for it; the call after the last is a
            RuntimeError, fewer are a warning. A scheduler of second order calls twice a step: give
            `len(scheduler.timesteps)`.
        kernel: `triton` computes plain and skewed softmax in one pass, on a GPU; its sums differ in the last bits.

    Raises:
        TypeError: `model` is no module, such as a whole pipeline.
        ValueError: a model without self-attention, blocks that do not exist, a window without `steps`, a kernel that
            this machine does not have, and a layer to perturb or measure whose processor is not AttnProcessor or
            AttnProcessor2_0. The model is not touched then.
    """
    for name, value in (("samples", samples), ("steps", steps)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value!r}: must be an integer >= 1")
    _check_module(model)
    layers = numbered(model)
    if not layers:
        raise ValueError(f"{type(model).__name__} has no self-attention of diffusers' class Attention")
    before = [(layer, layer.processor) for _, layer in layers]
    calls = Calls()
    check_kernel(kernel, next(model.parameters()).device)
    processors = _processors(layers, knob, recorder, calls, samples, steps, kernel)

    def count(*_: Any) -> None:
        calls.current += 1
        if steps is not None and calls.current >= steps:
            raise RuntimeError(f"steps={steps}: the model is called once more; give perturb() the number of its calls")

    if recorder is not None:
        recorder.start([(block, next(layer.parameters()).device) for block, layer in layers])
    hook = model.register_forward_pre_hook(count)
    try:
        for (_, layer), processor in zip(layers, processors, strict=True):
            layer.set_processor(processor)
        yield
        if steps is not None and 0 <= calls.current < steps - 1:
            warnings.warn(f"steps={steps}: the model was called {calls.current + 1} times", stacklevel=3)
    finally:
        hook.remove()
        for layer, processor in before:
            layer.set_processor(processor)


def _check_module(model: Any) -> None:
    """Whole pipelines are given most often: the message says which part of theirs is wanted."""
    if isinstance(model, nn.Module):
        return
    part = next((name for name in ("unet", "transformer") if isinstance(getattr(model, name, None), nn.Module)), None)
    wanted = f"give its model, `pipeline.{part}`" if part else "a torch module is wanted, such as `pipeline.unet`"
    raise TypeError(f"model is a {type(model).__name__}: {wanted}")


def _processors(
    layers: list[tuple[Block, Attention]],
    knob: Knob,
    recorder: Recorder | None,
    calls: Calls,
    samples: int | None,
    steps: int | None,
    kernel: Kernel,
) -> list[Any]:
    """For each layer the processor that it gets: the model's own where it is neither perturbed nor measured."""
    blocks = [block for block, _ in layers]
    perturbed: list[Block] = []
    acting = knob if isinstance(knob, AttentionKnob) else None  # else plain attention
    if acting:
        perturbed = select(blocks, acting.blocks)
        covers(acting.window, 0, steps)  # raises without steps
    processors = []
    for block, layer in layers:
        own = layer.processor.own if isinstance(layer.processor, SelfAttentionProcessor) else layer.processor
        if block in perturbed or recorder is not None:
            _check(block, layer, own)
            block_knob = acting if block in perturbed else None
            processors.append(SelfAttentionProcessor(block, own, block_knob, recorder, calls, samples, steps, kernel))
        else:
            processors.append(own)
    return processors


def _check(block: Block, layer: Attention, own: Any) -> None:
    """A processor of another kind computes something else, which must not be replaced in silence."""
    if type(own) not in (AttnProcessor, AttnProcessor2_0):
        raise ValueError(
            f"{block.name} has a {type(own).__name__}: only AttnProcessor and AttnProcessor2_0 can be perturbed or "
            "measured (fused projections: unfuse_qkv_projections() first)"
        )
    if type(own) is AttnProcessor and (layer.norm_q is not None or layer.norm_k is not None):
        raise ValueError(f"{block.name} norms q and k, which its AttnProcessor leaves out: give it AttnProcessor2_0")
