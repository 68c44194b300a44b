"""Estimates the cost of a run before anything is loaded: samples, shards, disk and, from earlier runs, time."""

from dataclasses import dataclass
from statistics import median

from pydantic import ValidationError

from skewbench import sql
from skewbench.stability import Block
from skewbench.stability.knobs import AttentionKnob
from skewbench.storage.store import open_store
from skewbench.tasks.checks import check_metrics, lacking, to_prepare
from skewbench.tasks.devices import has_gpu
from skewbench.tasks.experiment import Cell, Experiment, MeasureSpec
from skewbench.tasks.generation import GenerationSpec, SchedulerSpec
from skewbench.tasks.generation_checks import calls_of
from skewbench.tasks.hub_models import ModelNotHereError
from skewbench.tasks.lora import with_digests
from skewbench.tasks.media import MEDIA
from skewbench.tasks.model_blocks import blocks_of, without_effect
from skewbench.tasks.model_checks import check_on_model
from skewbench.tasks.model_size import weight_bytes
from skewbench.tasks.models import (
    ModelSource,
    family_of_source,
    resolve_model,
    sample_size,
)
from skewbench.tasks.plan import shard_sizes
from skewbench.tasks.prompt_lengths import prompt_notes
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.reference import check_reference
from skewbench.tasks.refiner import refiners_of, with_refiners
from skewbench.tasks.size import Size

ROW_BYTES, VALUE_BYTES = 60, 3.5
"""Bytes of a compressed row of `stability` without lists, and of each value in its lists."""
_LARGE = 1e9
"""Bytes of weights of a model that nobody runs on a CPU by choice."""
_SDXL_BLOCKS = [
    Block(number=0, name="", stage="down", heads=heads, width=64 * heads) for heads in [10] * 10 + [20] * 60
]
"""Heads of SDXL's self-attentions, for a model that is not on this machine."""


@dataclass(frozen=True)
class Estimate:
    """Costs of a run. `disk` in bytes; `hours`: of one worker, None if the model's speed is unknown.

    `lacking`: metrics that would be NULL, because this machine lacks their requirements.
    """

    model: str
    prompts: int
    samples: int
    shards: int
    per_shard: int
    predictions: int
    """Predictions of the model, from each cell's steps, scheduler and branches of guidance."""
    disk: float
    hours: float | None
    time: str
    lacking: tuple[str, ...] = ()
    to_prepare: tuple[str, ...] = ()
    """Environments of scorers that are not prepared on this machine yet."""
    prompt_notes: tuple[str, ...] = ()
    """Prompts that the model does not read completely, one line for each kind."""
    without_effect: tuple[str, ...] = ()
    """Settings that have no effect on this model or this machine, a line each."""
    more_calls: tuple[str, ...] = ()
    """Cells that call the model more often than plain ones, a line each."""


def estimate(experiment: Experiment, lake: str, seconds: float | None = None) -> Estimate:
    """Validate an experiment and estimate its cost, without loading or writing anything.

    A hub model that is not on this machine is no error: SDXL's blocks are then assumed, and selections of blocks not
    checked.

    Args:
        experiment: The experiment.
        lake: Folder or URL of the lake.
        seconds: Assumed seconds per image; None: as measured by earlier runs of this lake.

    Raises:
        InputError: The experiment cannot run.
    """
    experiment = with_refiners(with_digests(experiment), download=False)
    prompts = load_prompts(experiment.prompts)
    check_metrics(experiment.metrics, experiment.required)
    source, blocks, description = _model(experiment)
    generation = experiment.generation
    medium = family_of_source(source).medium if source else "image"
    check_reference(open_store(lake), experiment.reference, experiment.name, medium)
    size = sample_size(source, generation) if source else _assumed_size(generation)
    check_on_model(experiment, source, blocks)
    shards = shard_sizes(experiment, len(prompts), experiment.workers.shard)
    samples = sum(shards)
    of_a_cell = samples // len(experiment.cells)
    rows, plain, more = 0.0, {}, {}
    for cell in experiment.cells:
        own = experiment.generation_of(cell)
        calls, branches = calls_of(own, source), _branches(own, source)
        plain[cell.name], more[cell.name] = predictions_of(own, source), weak_steps(cell, calls)
        each = ROW_BYTES + VALUE_BYTES * _listed(experiment.measure, calls, blocks)
        rows += of_a_cell * (branches + bool(more[cell.name])) * len(blocks) * each
    predictions = of_a_cell * (sum(plain.values()) + sum(more.values()))
    pace = (
        Pace(seconds / predictions_of(generation, source), "this, as assumed")
        if seconds
        else measured_pace(experiment, source, lake) or BUNDLED.get(experiment.model.id)
    )
    return Estimate(
        model=description,
        prompts=len(prompts),
        samples=samples,
        shards=len(shards),
        per_shard=max(shards),
        predictions=predictions,
        disk=samples * MEDIA[medium].disk(size) + rows,
        hours=predictions * pace.seconds / 3600 if pace else None,
        time=expected_time(experiment, pace, predictions, samples),
        lacking=lacking(experiment.metrics),
        to_prepare=to_prepare(experiment.metrics),
        prompt_notes=prompt_notes(experiment, prompts, source),
        without_effect=(*_devices(experiment, source, medium), *(without_effect(experiment, source) if source else ())),
        more_calls=tuple(
            f"cell {name} evaluates cond once more in {count} of its steps, for its weak branch: about "
            f"{1 + count / plain[name]:.2f} times the time"
            for name, count in more.items()
            if count
        ),
    )


def predictions_of(generation: GenerationSpec, source: ModelSource | None) -> int:
    """Count the predictions for one image: calls of the model and of its refiner, times the branches of guidance.

    Args:
        generation: Generation settings of the image.
        source: The model; None: it is not on this machine.
    """
    whole = generation.model_copy(update={"refiner": None})
    return calls_of(whole, source) * _branches(generation, source)


def weak_steps(cell: Cell, steps: int) -> int:
    """Count the steps in which a cell evaluates a weak branch of guidance as well.

    Args:
        cell: The cell.
        steps: Calls of its model.
    """
    knob = cell.knob
    if not isinstance(knob, AttentionKnob) or not knob.weak:
        return 0
    return sum(knob.amount(step, steps) > 0 for step in range(steps))


def _branches(generation: GenerationSpec, source: ModelSource | None) -> int:
    """Count the predictions of guidance in a step. A model that is not on this machine is taken for SDXL."""
    if generation.guidance <= 1:
        return 1
    return len(family_of_source(source).branches) if source else 2


def _devices(experiment: Experiment, source: ModelSource | None, medium: str) -> tuple[str, ...]:
    """A line if the run needs a GPU that this machine lacks, or if a large model would run on the CPU."""
    gpus, needs = experiment.workers.gpus, f"workers.gpus is {experiment.workers.gpus:g}"
    if gpus and not has_gpu():
        return (f"{needs}, but no GPU was found on this machine; --ray-address names a cluster that has some",)
    if not gpus and (source is None or weight_bytes(source) > _LARGE):
        return (f"{needs}: the model runs on the CPU, which takes minutes per {medium}; set workers.gpus to 1",)
    return ()


def _assumed_size(generation: GenerationSpec) -> Size:
    """Return the size of images; for a model that is not on this machine, SDXL's unless the experiment sets one."""
    return Size(generation.width or 1024, generation.height or 1024)


def _model(experiment: Experiment) -> tuple[ModelSource | None, list[Block], str]:
    try:
        source = resolve_model(experiment.model)
    except ModelNotHereError:
        config = experiment.model.config
        missing = f"its configurations ({config}) are not on this machine" if config else "not on this machine"
        return None, _SDXL_BLOCKS, f"{missing}; its blocks are not checked (assuming SDXL's 70)"
    blocks = blocks_of(source)
    found = f"on this machine, revision {source.revision}, {len(blocks)} self-attention blocks"
    refiners = refiners_of(experiment)
    weights = sum(map(weight_bytes, [source, *refiners]))
    with_them = " with the refiner" if refiners else ""
    return source, blocks, f"{found}, {weights / 1e6:,.0f} MB of weights in memory{with_them}"


def _listed(measure: MeasureSpec, steps: int, blocks: list[Block]) -> float:
    """Return the average number of values in the lists of one row."""
    recorded = -(-steps // measure.every)
    a_step = {"mean": 0.0, "steps": 7.0, "heads": 7.0 + 5.0 * sum(block.heads for block in blocks) / len(blocks)}
    return recorded * a_step[measure.detail]


@dataclass(frozen=True)
class Pace:
    """Seconds of one prediction for one image on one worker, and the worker's description."""

    seconds: float
    worker: str


_MEASURED_ON = "one of two on a two-core AMD EPYC (docs/performance.md)"
BUNDLED = {
    name: Pace(seconds, _MEASURED_ON)
    for name, seconds in (("shapes-xl", 0.019), ("shapes-mmdit", 0.012), ("shapes-pixel", 0.022), ("sounds", 0.023))
}
"""Paces of bundled models at batch 8 with all blocks measured, for a lake without a run."""


def measured_pace(experiment: Experiment, source: ModelSource | None, lake: str) -> Pace | None:
    """Measure the pace from earlier runs of the same model and size, with any steps, guidance and scheduler.

    Args:
        experiment: The experiment.
        source: Its model; None: it is not on this machine.
        lake: Folder or URL of the lake.

    Returns:
        The pace; None if the lake has no such run.
    """
    generation = experiment.generation
    try:
        with sql.connect(lake) as connection, sql.part_errors(connection):
            found = connection.execute(
                """SELECT steps, guidance, try_cast(setting AS JSON)->'generation'->'scheduler',
                       median(seconds / nullif(1 - coalesce(shared_calls, 0), 0)), any_value(device)
                   FROM samples WHERE shared_calls IS DISTINCT FROM 1 AND model = ? AND seconds IS NOT NULL
                   AND width IS NOT DISTINCT FROM coalesce(?, width)
                   AND frames IS NOT DISTINCT FROM coalesce(?, frames)
                   AND duration IS NOT DISTINCT FROM coalesce(?, duration) GROUP BY ALL""",
                [experiment.model.id, generation.width, generation.frames, generation.duration],
            ).fetchall()
    except sql.LakeError:
        return None
    paces = [
        seconds / predictions_of(_generation(steps, guidance, scheduler), source)
        for steps, guidance, scheduler, seconds, _ in found
    ]
    return Pace(median(paces), found[0][-1]) if paces else None


def _generation(steps: int, guidance: float, scheduler: str | None) -> GenerationSpec:
    """Read the settings that decide the number of model calls from a row of `samples`, which may hold any text."""
    try:
        spec = SchedulerSpec.model_validate_json(scheduler) if scheduler not in (None, "null") else None
    except ValidationError:
        spec = None
    return GenerationSpec.model_construct(steps=steps, guidance=guidance, scheduler=spec)


def expected_time(experiment: Experiment, pace: Pace | None, predictions: int, samples: int) -> str:
    """Describe the expected time of generation in words.

    Args:
        experiment: The experiment, with its number of workers.
        pace: Seconds of a prediction; None: unknown.
        predictions: The model's predictions in the whole run.
        samples: Samples of the whole run.
    """
    if pace is None:
        return "unknown: this lake has no earlier run of this model; set --seconds to the time per image"
    workers = experiment.workers.count or 1
    whole = predictions * pace.seconds
    return (
        f"about {whole / workers / 60:,.0f} min on {workers} worker(s) like {pace.worker}, at {whole / samples:.2f} s "
        "per image on average"
    )
