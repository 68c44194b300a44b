"""Whether a model's pipeline can generate as an experiment and its cells say; nothing is loaded."""

from collections.abc import Iterator
from typing import Any

from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.generation import OPTIONAL, GenerationSpec
from skewbench.tasks.lora import check_fit
from skewbench.tasks.models import ModelSource, family_of_source, part_config, pipeline_class
from skewbench.tasks.refiner import check_refiner
from skewbench.tasks.schedulers import SEEDED, build, calls_until, count_calls, find, needs_trial, try_out
from skewbench.vocabulary.errors import InputError

_GUIDED = ("negative_prompt", "guidance_rescale")
"""Settings without an effect if guidance runs only the conditional branch."""


def check_generation(experiment: Experiment, source: ModelSource | None) -> None:
    """Check each cell's settings.

    Args:
        experiment: The experiment, with the digests of its adapters.
        source: Its model; None: it is not on this machine, and only names are checked.

    Raises:
        InputError: Two cells are the same, or a setting that the pipeline does not have, cannot use, or drops.
    """
    _check_distinct(experiment)
    if source:
        _check_own_scheduler(experiment, source)
    for cell in experiment.cells:
        generation = experiment.generation_of(cell)
        if source:
            _check_settings(cell, experiment, source)
        if generation.scheduler:
            _check_scheduler(cell, experiment, source)
        if source:
            if generation.refiner:
                _check_refiner(cell, experiment, source)
            _check_calls(cell, experiment, source)


def calls_of(generation: GenerationSpec, source: ModelSource | None) -> int:
    """Count the calls of the model in a cell's steps, in one branch of guidance, without those of a refiner.

    Args:
        generation: How samples are generated.
        source: The model; None: it is not on this machine, and the scheduler is taken for one of first order.
    """
    if generation.refiner and source:
        return calls_until(_timed_scheduler(generation, source), generation.refiner.at)
    own, config = scheduler_config(source) if source else ("", {})
    if scheduler := generation.scheduler:
        return count_calls(scheduler.name, {**config, **scheduler.arguments}, generation.steps)
    return count_calls(own, config, generation.steps)


def scheduler_config(source: ModelSource) -> tuple[str, dict[str, Any]]:
    """Read the class of the model's own scheduler and its configuration; empty for a family without one.

    Args:
        source: The model.

    Raises:
        InputError: The configuration cannot be read.
    """
    if "scheduler" not in family_of_source(source).parts:
        return "", {}
    file = "scheduler_config.json"
    config = part_config(source, "scheduler", file)
    if "_class_name" not in config:
        raise InputError(f"model.id {source.spec.id!r}: {source.folder / 'scheduler' / file} names no class")
    return str(config["_class_name"]), {name: value for name, value in config.items() if not name.startswith("_")}


def _check_distinct(experiment: Experiment) -> None:
    seen: list[tuple[Any, GenerationSpec, str]] = []
    for cell in experiment.cells:
        generation = experiment.generation_of(cell)
        for knobs, other, name in seen:
            if (knobs, other) == (cell.knobs, generation):
                raise InputError(f"cells: {name!r} and {cell.name!r} have the same knobs and the same generation")
        seen.append((cell.knobs, generation, cell.name))


def _where(cell: Cell, name: str) -> str:
    """Return the field that sets a value: the cell's, else the experiment's."""
    own = getattr(cell.generation, name) is not None
    return f"cells.{cell.name}.generation.{name}" if own else f"generation.{name}"


def _check_settings(cell: Cell, experiment: Experiment, source: ModelSource) -> None:
    family, generation = family_of_source(source), experiment.generation_of(cell)
    for name in OPTIONAL:
        value = getattr(generation, name)
        if value is None or name == "scheduler":
            continue
        shown = {"lora": "path", "refiner": "id"}.get(name)
        where = f"{_where(cell, name)} {getattr(value, shown) if shown else value!r}"
        if name not in family.settings:
            there = ", ".join(("steps", "guidance", "scheduler", *family.settings))
            raise InputError(f"{where}: {pipeline_class(source)} does not support {name}; it supports {there}")
        if name in _GUIDED and not _guides(generation, source):
            raise InputError(f"{where}: has no effect, because {_why_not_guided(generation)}")
        if name == "clip_skip" and value >= (most := min(_clip_layers(source), default=value + 1)):
            raise InputError(f"{where}: the model's CLIP text encoder has {most} layers; skip at most {most - 1}")
        if name == "lora":
            try:
                check_fit(value, family, pipeline_class(source), source.folder)
            except ValueError as error:
                raise InputError(f"{where}: {error}") from None


def _guides(generation: GenerationSpec, source: ModelSource) -> bool:
    """Return whether the unconditional branch runs. It does not in models that take guidance as an input."""
    denoiser = part_config(source, family_of_source(source).denoiser)
    return generation.guidance > 1 and denoiser.get("time_cond_proj_dim") is None


def _why_not_guided(generation: GenerationSpec) -> str:
    if generation.guidance <= 1:
        return f"a guidance of {generation.guidance:g} runs only the conditional branch"
    return "this model takes guidance as an input and has no unconditional branch"


def _clip_layers(source: ModelSource) -> Iterator[int]:
    for part in family_of_source(source).parts:
        if part.startswith("text_encoder"):
            config = part_config(source, part)
            if str(config.get("model_type", "")).startswith("clip"):
                yield int(config.get("num_hidden_layers", 12))


def _check_calls(cell: Cell, experiment: Experiment, source: ModelSource) -> None:
    """Check that the recorder acts in the calls of each cell.

    Raises:
        InputError: It does not.
    """
    calls, every = calls_of(experiment.generation_of(cell), source), experiment.measure.every
    if every > calls:
        raise InputError(f"measure.every {every}: cell {cell.name} calls the model only {calls} times")


def _check_refiner(cell: Cell, experiment: Experiment, source: ModelSource) -> None:
    """Raise `InputError` for a refiner that does not fit the model, or a scheduler that cannot be cut in two."""
    generation = experiment.generation_of(cell)
    spec, where = generation.refiner, _where(cell, "refiner")
    if spec is None:
        return
    check_refiner(spec, source)
    scheduler = _timed_scheduler(generation, source)
    name = type(scheduler).__name__
    if scheduler.order != 1 or name == "PNDMScheduler":
        raise InputError(f"{where}: a step of {name} cannot be split between two models; choose another scheduler")
    calls, whole = calls_until(scheduler, spec.at), len(scheduler.timesteps)
    if not 0 < calls < whole:
        raise InputError(
            f"{where}.at {spec.at:g}: of {whole} steps the model runs {calls} and the refiner {whole - calls}; each "
            "needs at least one"
        )


def _timed_scheduler(generation: GenerationSpec, source: ModelSource) -> Any:
    """The scheduler of a cell with its timesteps. Slow: imports diffusers."""
    import diffusers

    own, config = scheduler_config(source)
    spec = generation.scheduler
    scheduler = build(spec, own, config) if spec else getattr(diffusers, own).from_config(config)
    scheduler.set_timesteps(generation.steps)
    return scheduler


def _check_own_scheduler(experiment: Experiment, source: ModelSource) -> None:
    name, config = scheduler_config(source)
    of_model = [experiment.generation_of(cell) for cell in experiment.cells]
    steps = sorted({generation.steps for generation in of_model if generation.scheduler is None})
    if not steps or not needs_trial(name, config):
        return
    where = f"model.id {source.spec.id!r}"
    if name == SEEDED:
        raise InputError(
            f"{where}: its {name} draws noise from the global generator, so no seed reproduces an image; "
            f"with `generation: {{scheduler: {{name: {name}}}}}` each sample gets its own noise"
        )
    import diffusers

    try:
        for count in steps:
            scheduler = getattr(diffusers, name).from_config(config)
            try_out(scheduler, count, family_of_source(source).gives_sigmas)
    except (AttributeError, ValueError) as error:
        raise InputError(f"{where}: {error}; choose another one under generation.scheduler") from None


def _check_scheduler(cell: Cell, experiment: Experiment, source: ModelSource | None) -> None:
    generation = experiment.generation_of(cell)
    spec = generation.scheduler
    if spec is None:
        return
    try:
        if source is None:
            find(spec, None, {})
            return
        own, config = scheduler_config(source)
        try:
            scheduler = build(spec, own, config)
        except (TypeError, NotImplementedError) as error:
            raise ValueError(f"{spec.name}: {' '.join(str(error).split())[:200]}") from None
        try_out(scheduler, generation.steps, family_of_source(source).gives_sigmas)
    except ValueError as error:
        raise InputError(f"{_where(cell, 'scheduler')}: {error}") from None
