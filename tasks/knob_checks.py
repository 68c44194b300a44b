"""Checks the knobs of an experiment against its model, before anything is loaded."""

from collections.abc import Sequence

from skewbench.stability.blocks import Block, check_heads, check_softmax, select
from skewbench.stability.knobs import AttentionKnob, ConditionKnob, Rule, SteppedKnob
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.generation_checks import calls_of, scheduler_config
from skewbench.tasks.models import ModelSource, family_of_source
from skewbench.vocabulary.errors import InputError


def check_knobs(experiment: Experiment, source: ModelSource | None, blocks: Sequence[Block]) -> None:
    """Check that each cell's knob acts on the model.

    Args:
        experiment: The experiment.
        source: The model; None: it is not on this machine, and its blocks are not checked.
        blocks: Its self-attention blocks.

    Raises:
        InputError: Blocks or heads that do not exist, blocks of linear attention, a window that covers no step, or a
            rule of guidance or a knob on the condition that the model has no use for.
    """
    for cell in experiment.cells:
        generation = experiment.generation_of(cell)
        calls = calls_of(generation, source)
        if isinstance(cell.knob, AttentionKnob) and source is not None:
            _check_blocks(cell, cell.knob, blocks)
        if isinstance(cell.knob, SteppedKnob):
            _check_steps(cell, cell.knob, calls)
        if cell.guidance_rule is not None:
            _check_rule(cell, cell.guidance_rule, generation, source)
            _check_steps(cell, cell.guidance_rule, calls)
        if cell.condition is not None:
            _check_condition(cell, cell.condition, source)
            _check_steps(cell, cell.condition, calls)


def _check_rule(cell: Cell, rule: Rule, generation: GenerationSpec, source: ModelSource | None) -> None:
    """Raise `InputError` if the pipeline does not guide, or guides in a way that the rule is not made for."""
    where = f"cells.{cell.name}.guidance_rule {rule.kind}"
    if generation.guidance <= 1:
        raise InputError(
            f"{where}: generation.guidance is {generation.guidance:g}, so the model makes no prediction without "
            "the prompt; set it above 1"
        )
    if source is None:
        return
    family = family_of_source(source)
    if "uncond" not in family.branches:
        raise InputError(
            f"{where}: the guidance of {family.name} models is distilled, so there are no two predictions to guide from"
        )
    if rule.needs_maps and not family.maps:
        raise InputError(f"{where}: {family.name} models predict no maps of rows and columns; the rule needs them")
    if rule.only_scales and family.restores_norms:
        raise InputError(
            f"{where}: {family.name}'s pipeline restores the norms of its predictions, which undoes the rule"
        )
    name, config = scheduler_config(source)
    if generation.scheduler is not None:
        name, config = generation.scheduler.name, {**config, **generation.scheduler.arguments}
    flow = name.startswith("FlowMatch") or config.get("use_flow_sigmas")
    if rule.needs_flow_matching and not flow:
        raise InputError(f"{where}: zero_steps is for flow-matching models; set it to 0")


def _check_condition(cell: Cell, condition: ConditionKnob, source: ModelSource | None) -> None:
    """Raise `InputError` if the model reads the text as one vector, which knobs on the condition leave as it is."""
    family = family_of_source(source) if source is not None else None
    if family is not None and not family.token_embeddings:
        raise InputError(
            f"cells.{cell.name}.condition {condition.kind}: {family.name} models read the text as one vector, not "
            "as embeddings of its tokens; remove the condition"
        )


def _check_blocks(cell: Cell, knob: AttentionKnob, blocks: Sequence[Block]) -> None:
    try:
        chosen = select(blocks, knob.blocks)
        check_heads(chosen, knob.heads)
        check_softmax(chosen)
    except ValueError as error:
        raise InputError(f"cells.{cell.name}: {error}") from None


def _check_steps(cell: Cell, knob: SteppedKnob, calls: int) -> None:
    """Raise `InputError` if the knob acts in none of the model's calls."""
    try:
        knob.check_steps(calls)
    except ValueError as error:
        raise InputError(f"cells.{cell.name}: {error}") from None
