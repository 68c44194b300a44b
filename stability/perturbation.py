"""Puts a knob and a recorder onto a model for as long as a `with` block lasts."""

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from skewbench.stability.attention import SelfAttention
from skewbench.stability.blocks import check_heads, check_softmax, select
from skewbench.stability.condition import Conditioning
from skewbench.stability.fused import check as check_kernel
from skewbench.stability.grid import sides
from skewbench.stability.guidance import Guidance
from skewbench.stability.interception import Interception
from skewbench.stability.knobs import AttentionKnob, ConditionKnob, Knob, Rule, SteppedKnob, by_place
from skewbench.stability.linear import LinearInterception
from skewbench.stability.loop import Loop, Position
from skewbench.stability.recorder import Recorder
from skewbench.stability.sites import Site, sites
from skewbench.stability.softmax import Kernel
from skewbench.stability.tokens import Stream, single_stream
from skewbench.stability.trajectory import Trajectory
from skewbench.stability.weak import Weak


@contextmanager
def perturb(
    model: nn.Module,
    knob: Knob | Sequence[Knob],
    recorder: Recorder | None = None,
    samples: int | None = None,
    steps: int | None = None,
    kernel: Kernel = "torch",
    loop: Loop | None = None,
    guidance: float | None = None,
    noise_seeds: Sequence[int] | None = None,
    trajectory: Trajectory | None = None,
) -> Iterator[None]:
    """Put a model under a knob, and measure its self-attentions, within a `with` block.

    The model gets hooks for that time; its layers and their processors are unchanged. A nested `perturb`
    replaces the outer one until it ends. A layer that is called as cross-attention is unchanged, with a warning.

    Args:
        model: Any module with diffusers' attention layers in it, or such a layer itself. Its calls are counted.
        knob: A knob, `Vanilla()` for none, or several: one on attention, one on predictions, one on the condition.
        recorder: Measures all self-attentions, including those that the knob does not change.
        samples: Number of samples in the rows of a batch (rows = branches x samples, uncond first, as diffusers
            concatenates them); None: each row its own.
        steps: Number of the loop's steps, if the knob's window needs it; one more is a RuntimeError, fewer
            are a warning. A scheduler of second order steps twice as often: give `len(scheduler.timesteps)`.
        kernel: `triton` computes plain and skewed softmax in one pass, on a GPU; its sums differ in the last bits.
        loop: The pipeline's loop, which gives the step and branch of a call; None: each call of the model is a
            step with all branches in its rows.
        guidance: The pipeline's own guidance scale, which a knob on predictions and a weak branch need.
        noise_seeds: One seed for each sample, for the noise of a knob on the condition.
        trajectory: The first calls of an earlier generation, which are not computed again; None: all are computed.

    Raises:
        TypeError: `model` is no module, such as a whole pipeline.
        ValueError: a model without self-attention, blocks or heads that do not exist, a window or schedule without
            `steps`, a window that covers no step, a kernel that this machine does not have, two knobs for one place, a
            knob on predictions without `samples` and `guidance` above 1, one on the condition without `samples`,
            `steps` and `noise_seeds`. The model is not touched then. Within the block: a layer whose attention is
            causal or has dropout, a mask that the measures are not defined for, a knob that needs rows and columns of
            a model that does not say them, other branches than a knob on predictions needs.
        RuntimeError: Within the block: a layer that does not end in torch's softmax, calls beyond `steps`, and a
            pipeline that calls its model for only one branch under a knob on predictions.
    """
    for name, value in (("samples", samples), ("steps", steps)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value!r}: must be an integer >= 1")
    _check_module(model)
    check_kernel(kernel, next(model.parameters()).device)
    found = sites(model)
    if not found:
        raise ValueError(f"{type(model).__name__} has no self-attention of diffusers")
    streams = [single_stream(model, site.block.name) for site in found]
    position = Position(loop)
    knobs = by_place(knob)
    acting, rule = knobs.get("attention"), knobs.get("predictions")
    guide = _guidance(rule if isinstance(rule, Rule) else None, acting, guidance, position, samples, steps)
    conditioning = _conditioning(knobs.get("condition"), position, noise_seeds, samples, steps)
    needs_grid = isinstance(acting, AttentionKnob) and acting.needs_grid
    opened = _interceptions(found, streams, acting, recorder, position, samples, steps, kernel)

    def count(_: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        position.called()
        if steps is not None and position.step >= steps:
            raise RuntimeError(
                f"steps={steps}: the model is called once more; pass the number of its calls to perturb()"
            )
        if any(streams) or needs_grid:
            before, position.given = position.given, _arguments(model, inputs, named)
            same = position.grid is not None and position.given.get("img_ids") is before.get("img_ids", before)
            if needs_grid and not same:  # reading the places of tokens waits for the device: once a loop is enough
                position.grid = sides(position.given)

    if recorder is not None:
        recorder.start([(site.block, next(site.layer.parameters()).device) for site in found])
    with ExitStack() as stack:
        stack.enter_context(position.counting())
        if trajectory is not None:
            stack.enter_context(trajectory.through(model, position, recorder))
        stack.callback(model.register_forward_pre_hook(count, with_kwargs=True).remove)
        for interception in opened:
            interception.open()
            stack.callback(interception.close)
        if guide is not None:
            stack.callback(model.register_forward_hook(guide, with_kwargs=True).remove)
        if conditioning is not None:
            stack.callback(model.register_forward_pre_hook(conditioning, with_kwargs=True).remove)
        stack.enter_context(_innermost(model, [each for each in (guide, conditioning) if each is not None]))
        yield
        if guide is not None and position.step >= 0 and not guide.has_guided:
            raise RuntimeError(
                f"{guide.kind}: the pipeline called its model for one branch only, so no guidance was applied"
            )
        if steps is not None and 0 <= position.step < steps - 1:
            warnings.warn(f"steps={steps}: the model was called {position.step + 1} times", stacklevel=3)
        if crossed := [each.name for each in opened if each.acts and not each.self_attention]:
            warnings.warn(f"unchanged, because called as cross-attention: {', '.join(crossed)}", stacklevel=3)


def _check_module(model: Any) -> None:
    """Check that a module is given, not a whole pipeline. The message names the pipeline's part to give."""
    if isinstance(model, nn.Module):
        return
    part = next((name for name in ("unet", "transformer") if isinstance(getattr(model, name, None), nn.Module)), None)
    given = f"give its model, `pipeline.{part}`" if part else "give a torch module, such as `pipeline.unet`"
    raise TypeError(f"model is a {type(model).__name__}: {given}")


def _check_steps(knob: SteppedKnob, steps: int | None) -> None:
    """Raise ValueError if the knob needs the number of steps, or acts in none of them."""
    knob.amount(0, steps)
    if steps is not None:
        knob.check_steps(steps)


def _guidance(
    rule: Rule | None,
    acting: Knob | None,
    scale: float | None,
    position: Position,
    samples: int | None,
    steps: int | None,
) -> Guidance | None:
    """Make the guidance that replaces the pipeline's: a rule, a weak branch, or both; None if there is neither."""
    weak = Weak(acting, position, steps) if isinstance(acting, AttentionKnob) and acting.weak is not None else None
    if rule is None and weak is None:
        return None
    kind = rule.kind if rule is not None else f"{weak.kind} as weak branch" if weak is not None else ""
    in_calls = position.loop is not None and "uncond" in position.loop.branches
    if samples is None or (scale is None and (rule is not None or in_calls)):
        raise ValueError(f"{kind} needs `guidance`, the pipeline's own guidance scale, and `samples`")
    if rule is not None:
        _check_steps(rule, steps)
        if scale is not None and scale <= 1:
            raise ValueError(f"{kind} with guidance={scale:g}: the pipeline applies guidance only with a scale above 1")
    return Guidance(rule, weak, scale, position, samples, steps)


def _conditioning(
    knob: Knob | None,
    position: Position,
    noise_seeds: Sequence[int] | None,
    samples: int | None,
    steps: int | None,
) -> Conditioning | None:
    """Make the hook that changes the condition; None if no knob acts on it."""
    if not isinstance(knob, ConditionKnob):
        return None
    if noise_seeds is None or steps is None or samples != len(noise_seeds):
        raise ValueError(f"{knob.kind} needs `samples`, `steps`, and `noise_seeds`, one for each sample")
    _check_steps(knob, steps)
    return Conditioning(knob, position, noise_seeds, steps)


_OUTER: WeakKeyDictionary[nn.Module, list[list[Guidance | Conditioning]]] = WeakKeyDictionary()
"""The hooks of each `perturb` around a model, the innermost last."""


@contextmanager
def _innermost(model: nn.Module, hooks: list[Guidance | Conditioning]) -> Iterator[None]:
    """Within the block, replace the hooks of an outer `perturb` by these, or by none if the list is empty."""
    around = _OUTER.setdefault(model, [])
    outer = around[-1] if around else []
    around.append(hooks)
    for hook in outer:
        hook.acts = False
    try:
        yield
    finally:
        around.pop()
        for hook in outer:
            hook.acts = True


def _interceptions(
    found: list[Site],
    streams: list[Stream | None],
    acting: Knob | None,
    recorder: Recorder | None,
    position: Position,
    samples: int | None,
    steps: int | None,
    kernel: Kernel,
) -> list[Interception]:
    """Make one interception for each self-attention. It does nothing if the layer is neither perturbed nor measured."""
    acting = acting if isinstance(acting, AttentionKnob) else None  # else plain attention
    perturbed = select([site.block for site in found], acting.blocks) if acting else []
    if acting:
        check_heads(perturbed, acting.heads)
        _check_steps(acting, steps)
    check_softmax(perturbed)
    opened: list[Interception] = []
    for (block, layer), stream in zip(found, streams, strict=True):
        take = None
        if block in perturbed or recorder is not None:
            block_knob = acting if block in perturbed else None
            take = SelfAttention(block, layer, stream, block_knob, recorder, position, samples, steps, kernel)
        if block.linear:
            opened.append(LinearInterception(block.name, layer, take.measure_linear if take else None))
        else:
            opened.append(Interception(block.name, layer, take))
    return opened


def _arguments(model: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of the model's call by name, with its patch size."""
    names = list(inspect.signature(type(model).forward).parameters)[1:]  # without self
    config = getattr(model, "config", None)
    return {**dict(zip(names, inputs, strict=False)), **named, "patch_size": getattr(config, "patch_size", None)}
