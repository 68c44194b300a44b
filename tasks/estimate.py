"""Estimates the cost of a run before anything is loaded: samples, shards, disk and, from earlier runs, time."""

from dataclasses import dataclass

from skewbench import sql
from skewbench.stability import Block
from skewbench.stability.knobs import AttentionKnob
from skewbench.storage.store import open_store
from skewbench.tasks.checks import check_metrics, lacking
from skewbench.tasks.experiment import Cell, Experiment, MeasureSpec
from skewbench.tasks.knob_checks import check_knobs
from skewbench.tasks.model_blocks import blocks_of, without_effect
from skewbench.tasks.models import (
    ModelNotHereError,
    ModelSource,
    family_of_source,
    image_size,
    resolve_model,
)
from skewbench.tasks.plan import plan_shards
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.reference import check_reference

PNG_BYTES_A_PIXEL = 1.4
"""For photograph-like images; rendered scenes take a fifth of it."""
ROW_BYTES, VALUE_BYTES = 60, 3.5
"""Of a compressed row of `stability` without lists, and of each value in its lists."""
_SDXL_BLOCKS = [
    Block(number=0, name="", stage="down", heads=heads, width=64 * heads) for heads in [10] * 10 + [20] * 60
]
"""Heads of SDXL's self-attentions, for a model that is not on this machine."""


@dataclass(frozen=True)
class Estimate:
    """Costs of a run. `disk` in bytes; `hours`: of one worker, None where nothing is known of the model's speed.

    `lacking`: metrics that would be NULL, since this machine has not what they need.
    """

    model: str
    prompts: int
    samples: int
    shards: int
    per_shard: int
    disk: float
    hours: float | None
    time: str
    lacking: tuple[str, ...] = ()
    without_effect: tuple[str, ...] = ()
    """Settings that have no effect on this model, a line each."""
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
    prompts = load_prompts(experiment.prompts)
    check_metrics(experiment.metrics, experiment.required)
    check_reference(open_store(lake), experiment.reference, experiment.name)
    source, blocks, description = _model(experiment)
    check_knobs(experiment, source, blocks)
    width, height = (
        image_size(source, experiment.generation.width, experiment.generation.height)
        if source
        else (
            experiment.generation.width or 1024,
            experiment.generation.height or 1024,
        )
    )
    shards = plan_shards(experiment, prompts, "plan", (width, height), experiment.workers.shard)
    samples = sum(len(shard.samples) for shard in shards)
    branches = _branches(experiment, source)
    weak = sum(len(shard.samples) for shard in shards if getattr(shard.cell.knob, "weak", None))
    rows = (samples * branches + weak) * len(blocks)
    images = samples * width * height * PNG_BYTES_A_PIXEL
    disk = images + rows * (ROW_BYTES + VALUE_BYTES * _listed(experiment.measure, experiment.generation.steps, blocks))
    largest = max(len(shard.samples) for shard in shards)
    pace = Pace(seconds, "this, as assumed") if seconds else measured_pace(experiment, lake)
    factors = {cell.name: time_factor(cell, experiment.generation.steps, branches) for cell in experiment.cells}
    work = sum(len(shard.samples) * factors[shard.cell.name] for shard in shards)
    hours = work * pace.seconds / 3600 if pace else None
    time = expected_time(experiment, pace, work)
    return Estimate(
        description,
        len(prompts),
        samples,
        len(shards),
        largest,
        disk,
        hours,
        time,
        lacking(experiment.metrics),
        without_effect(experiment, source) if source else (),
        tuple(
            f"cell {name} evaluates cond once more in a step, for its weak branch: about {factor:.2f} times the time"
            for name, factor in factors.items()
            if factor > 1
        ),
    )


def time_factor(cell: Cell, steps: int, branches: int) -> float:
    """How many times the evaluations of a plain cell this cell takes, in rows of the model.

    Args:
        cell: The cell.
        steps: Denoising steps.
        branches: Predictions of guidance in a step.
    """
    knob = cell.knob
    if not isinstance(knob, AttentionKnob) or not knob.weak:
        return 1.0
    return 1 + sum(knob.amount(step, steps) > 0 for step in range(steps)) / (steps * branches)


def _branches(experiment: Experiment, source: ModelSource | None) -> int:
    """Predictions of guidance in a step; a model that is not here is taken for SDXL."""
    if experiment.generation.guidance <= 1:
        return 1
    return len(family_of_source(source).branches) if source else 2


def _model(experiment: Experiment) -> tuple[ModelSource | None, list[Block], str]:
    try:
        source = resolve_model(experiment.model)
    except ModelNotHereError:
        return None, _SDXL_BLOCKS, "not on this machine; its blocks are not checked (assuming SDXL's 70)"
    blocks = blocks_of(source)
    return source, blocks, f"on this machine, revision {source.revision}, {len(blocks)} self-attention blocks"


def _listed(measure: MeasureSpec, steps: int, blocks: list[Block]) -> float:
    """Values in the lists of one row, on average."""
    recorded = -(-steps // measure.every)
    a_step = {"mean": 0.0, "steps": 7.0, "heads": 7.0 + 5.0 * sum(block.heads for block in blocks) / len(blocks)}
    return recorded * a_step[measure.detail]


@dataclass(frozen=True)
class Pace:
    """Seconds that an image takes on one worker, and what worker that is."""

    seconds: float
    worker: str


def measured_pace(experiment: Experiment, lake: str) -> Pace | None:
    """Measure the pace from earlier runs of the same model and size: median seconds per step, times the steps."""
    try:
        with sql.connect(lake) as connection:
            found = connection.execute(
                """SELECT median(seconds / steps), any_value(device) FROM samples
                   WHERE model = ? AND width = coalesce(?, width)""",
                [experiment.model.id, experiment.generation.width],
            ).fetchone()
    except sql.LakeError:
        found = None
    return Pace(found[0] * experiment.generation.steps, found[1]) if found and found[0] is not None else None


def expected_time(experiment: Experiment, pace: Pace | None, samples: float) -> str:
    """Describe the expected time of generation in words."""
    if pace is None:
        return "unknown: this lake has no earlier run of this model; set --seconds to the time per image"
    workers = experiment.workers.count or 1
    minutes = samples * pace.seconds / workers / 60
    return f"about {minutes:,.0f} min on {workers} worker(s) like {pace.worker}, at {pace.seconds:.2f} s an image"
