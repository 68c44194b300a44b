"""Checks the knobs of an experiment against its model, before anything is loaded."""

from collections.abc import Sequence

from skewbench.stability.blocks import Block, check_heads, select
from skewbench.stability.knobs import AttentionKnob, SteppedKnob
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.models import ModelSource, part_config
from skewbench.vocabulary.errors import InputError

_TWICE_A_STEP = (
    "FlowMatchHeunDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
)
"""Schedulers that call the model twice in each step but the last."""
_OTHERWISE = ("PNDMScheduler",)
"""Schedulers whose count depends on their settings."""


def check_knobs(experiment: Experiment, source: ModelSource | None, blocks: Sequence[Block]) -> None:
    """Check that each cell's knob acts on the model.

    Args:
        experiment: The experiment.
        source: The model; None: it is not on this machine.
        blocks: Its self-attention blocks, or what is assumed of them.

    Raises:
        InputError: Blocks or heads that do not exist, or a window that covers no step.
    """
    for cell in experiment.cells:
        if isinstance(cell.knob, AttentionKnob):
            _check_blocks(cell, cell.knob, blocks)
        if isinstance(cell.knob, SteppedKnob):
            _check_steps(cell, cell.knob, model_calls(source, experiment.generation.steps))


def model_calls(source: ModelSource | None, steps: int) -> list[int]:
    """How often the pipeline calls its model in so many steps, by its scheduler's class.

    Args:
        source: The model; None: it is not on this machine.
        steps: Denoising steps.

    Returns:
        The count; where it is not certain, each that it may be.
    """
    kind = part_config(source, "scheduler", "scheduler_config.json").get("_class_name") if source else None
    if kind in _TWICE_A_STEP:
        return [2 * steps - 1]
    return [steps] if kind and kind not in _OTHERWISE else [steps, steps + 1, 2 * steps - 1]


def _check_blocks(cell: Cell, knob: AttentionKnob, blocks: Sequence[Block]) -> None:
    try:
        chosen = select(blocks, knob.blocks)
        check_heads(chosen, knob.heads)
    except ValueError as error:
        raise InputError(f"cells.{cell.name}: {error}") from None


def _check_steps(cell: Cell, knob: SteppedKnob, calls: list[int]) -> None:
    """Raise `InputError` where the knob acts in none of the steps, whichever count is right."""
    errors = []
    for count in calls:
        try:
            knob.check_steps(count)
        except ValueError as error:
            errors.append(error)
    if len(errors) == len(calls):
        raise InputError(f"cells.{cell.name}: {errors[0]}")
