"""Estimates the cost of a run before anything is loaded: samples, shards, disk and, from earlier runs, time."""

from dataclasses import dataclass

from skewbench import sql
from skewbench.stability import Block
from skewbench.storage.store import open_store
from skewbench.tasks.checks import check_media, check_metrics, lacking
from skewbench.tasks.experiment import Experiment, GenerationSpec, MeasureSpec
from skewbench.tasks.media import MEDIA
from skewbench.tasks.model_blocks import blocks_of, check_blocks, without_effect
from skewbench.tasks.models import (
    ModelNotHereError,
    ModelSource,
    family_of_source,
    resolve_model,
    sample_size,
)
from skewbench.tasks.plan import plan_shards
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.reference import check_reference
from skewbench.tasks.size import Size

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
    generation = experiment.generation
    name = family_of_source(source).medium if source else "image"
    medium = MEDIA[name]
    if source:
        check_media(experiment.metrics, name, experiment.required)
    size = sample_size(source, generation) if source else _assumed_size(generation)
    shards = plan_shards(experiment, prompts, "plan", size, experiment.workers.shard)
    samples = sum(len(shard.samples) for shard in shards)
    branches = _branches(experiment, source)
    rows = samples * branches * len(blocks)
    disk = samples * medium.disk(size) + rows * (
        ROW_BYTES + VALUE_BYTES * _listed(experiment.measure, experiment.generation.steps, blocks)
    )
    largest = max(len(shard.samples) for shard in shards)
    pace = Pace(seconds, "this, as assumed") if seconds else measured_pace(experiment, lake)
    hours = samples * pace.seconds / 3600 if pace else None
    time = expected_time(experiment, pace, samples)
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
    )


def _branches(experiment: Experiment, source: ModelSource | None) -> int:
    """Predictions of guidance in a step; a model that is not here is taken for SDXL."""
    if experiment.generation.guidance <= 1:
        return 1
    return len(family_of_source(source).branches) if source else 2


def _assumed_size(generation: GenerationSpec) -> Size:
    """The size of images of a model that is not here, taken for SDXL's where it is not chosen."""
    return Size(generation.width or 1024, generation.height or 1024)


def _model(experiment: Experiment) -> tuple[ModelSource | None, list[Block], str]:
    try:
        source = resolve_model(experiment.model)
    except ModelNotHereError:
        return None, _SDXL_BLOCKS, "not on this machine; its blocks are not checked (assuming SDXL's 70)"
    blocks = blocks_of(source)
    check_blocks(experiment, blocks)
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
    generation = experiment.generation
    try:
        with sql.connect(lake) as connection:
            found = connection.execute(
                """SELECT median(seconds / steps), any_value(device) FROM samples
                   WHERE model = ? AND width IS NOT DISTINCT FROM coalesce(?, width)
                   AND frames IS NOT DISTINCT FROM coalesce(?, frames)
                   AND duration IS NOT DISTINCT FROM coalesce(?, duration)""",
                [experiment.model.id, generation.width, generation.frames, generation.duration],
            ).fetchone()
    except sql.LakeError:
        found = None
    return Pace(found[0] * experiment.generation.steps, found[1]) if found and found[0] is not None else None


def expected_time(experiment: Experiment, pace: Pace | None, samples: int) -> str:
    """Describe the expected time of generation in words."""
    if pace is None:
        return "unknown: this lake has no earlier run of this model; set --seconds to the time per image"
    workers = experiment.workers.count or 1
    minutes = samples * pace.seconds / workers / 60
    return f"about {minutes:,.0f} min on {workers} worker(s) like {pace.worker}, at {pace.seconds:.2f} s an image"
