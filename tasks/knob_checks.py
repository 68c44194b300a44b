"""Checks the knobs of an experiment against its model, before anything is loaded."""

from collections.abc import Sequence
from typing import Any

from skewbench.stability.blocks import Block, check_heads, select
from skewbench.stability.knobs import AttentionKnob, Rule, SteppedKnob
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.models import ModelSource, family_of_source, part_config
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
        InputError: Blocks or heads that do not exist, a window that covers no step, or a rule of guidance for a model
            that does not guide.
    """
    calls = model_calls(source, experiment.generation.steps)
    for cell in experiment.cells:
        if isinstance(cell.knob, AttentionKnob):
            _check_blocks(cell, cell.knob, blocks)
        if isinstance(cell.knob, SteppedKnob):
            _check_steps(cell, cell.knob, calls)
        if cell.guidance_rule is not None:
            _check_rule(cell, cell.guidance_rule, experiment.generation.guidance, source)
            _check_steps(cell, cell.guidance_rule, calls)
        if cell.condition is not None:
            _check_steps(cell, cell.condition, calls)


def model_calls(source: ModelSource | None, steps: int) -> list[int]:
    """How often the pipeline calls its model in so many steps, by its scheduler's class.

    Args:
        source: The model; None: it is not on this machine.
        steps: Denoising steps.

    Returns:
        The count; where it is not certain, each that it may be.
    """
    kind = _scheduler(source).get("_class_name") if source else None
    if kind in _TWICE_A_STEP:
        return [2 * steps - 1]
    return [steps] if kind and kind not in _OTHERWISE else [steps, steps + 1, 2 * steps - 1]


def _scheduler(source: ModelSource) -> dict[str, Any]:
    return part_config(source, "scheduler", "scheduler_config.json")


def _check_rule(cell: Cell, rule: Rule, scale: float, source: ModelSource | None) -> None:
    """Raise `InputError` where the pipeline does not guide, or not in a way that the rule is made for."""
    where = f"cells.{cell.name}.guidance_rule {rule.kind}"
    if scale <= 1:
        raise InputError(
            f"{where}: generation.guidance is {scale:g}, by which the model predicts nothing without the prompt; "
            "set it above 1"
        )
    if source is None:
        return
    family = family_of_source(source)
    if "uncond" not in family.branches:
        raise InputError(
            f"{where}: the guidance of {family.name} models is distilled into them, so there are no two predictions "
            "to guide from"
        )
    if rule.needs_maps and not family.maps:
        raise InputError(f"{where}: {family.name} models predict sequences of tokens; the rule needs maps")
    scheduler = _scheduler(source)
    flow = str(scheduler.get("_class_name")).startswith("FlowMatch") or scheduler.get("use_flow_sigmas")
    if rule.needs_flow_matching and not flow:
        raise InputError(f"{where}: zero_steps is for models of flow matching; set it to 0")


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
