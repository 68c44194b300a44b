"""An experiment: a YAML file, validated here before anything is loaded or written.

Every field is typed and has a description, so that the Prefect UI shows the same experiment as a form.
"""

import json
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Union

from pydantic import ConfigDict, Field, ValidationError, model_validator

from skewbench.stability.knobs import KNOBS, ConditionKnob, Knob, Rule
from skewbench.tasks.generation import GenerationSpec, Overrides, Strict
from skewbench.tasks.validation_errors import CELL_NAME, RUN_NAME, format_errors
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    KnobSetting = Knob
    RuleSetting = Rule
    ConditionSetting = ConditionKnob
else:

    def _any_of(place: str) -> object:
        kinds = sorted(KNOBS.names(), key=lambda kind: (kind != "vanilla", kind))
        knobs = tuple(knob for knob in map(KNOBS.get, kinds) if knob.place == place)
        return Annotated[Union[knobs], Field(discriminator="kind")] if len(knobs) > 1 else knobs[0]  # noqa: UP007

    KnobSetting, RuleSetting, ConditionSetting = map(_any_of, ("attention", "predictions", "condition"))
"""Settings of every registered knob, by its place. The field `kind` selects the knob."""


DEFAULT_METRICS = ("binding", "msssim_diversity", "sharpness", "contrast")
"""Image metrics that need no weights."""


class ModelSpec(Strict):
    """The model and its precision."""

    field: ClassVar[str] = "model"
    """The field of an experiment that names the model."""
    id: str = "shapes-xl"
    """A bundled model (`shapes-xl`, `shapes-mmdit`, `shapes-pixel`, `sounds`), a Hugging Face hub id, a local folder in
    the hub's layout, or a `.safetensors` file of all weights."""
    config: str | None = None
    """For a file: a model of the same architecture. Its configurations and tokenizers are used, but not its weights."""
    revision: str | None = None
    """Branch, tag or commit of a hub model. The run records the commit."""
    variant: str | None = None
    """File variant of a hub model, such as `fp16`."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Precision of weights and activations; energies are always float32."""

    @property
    def where(self) -> str:
        """Field and value, for messages."""
        return f"{self.field}.id {self.id!r}"


class RefinerModel(ModelSpec):
    """The refiner of a cell, as a model that can be found and loaded."""

    field: ClassVar[str] = "generation.refiner"


class PromptSpec(Strict):
    """The source of the prompts."""

    source: Literal["scenes", "sounds", "natural", "attributes", "file", "coco", "parti", "hub"] = "scenes"
    """`scenes` and `sounds`: captions of rendered scenes and of synthetic sounds, with ground truth for scoring;
    `natural`: the package's 210 prompts in six categories; `attributes`: its 64 prompts that leave an attribute open,
    for `attribute_clip`; `file`: a text file with one prompt per line, or a table (.csv, .tsv, .jsonl, .parquet);
    `coco`: captions_val2014.json, one caption per image; `parti`: PartiPrompts.tsv; `hub`: a Hugging Face data set."""
    path: str | None = None
    """The file, for `file`, `coco` and `parti`; relative to the working folder. `~` is the home folder."""
    dataset: str | None = None
    """For `hub`: `owner/name`, or `owner/name:subset/split`."""
    column: str | None = None
    """Column of the prompts. Default: the first existing of prompt, Prompt, caption, text."""
    category_column: str | None = None
    """Column of the categories, by which queries can group."""
    count: int | None = Field(default=None, ge=1)
    """Number of prompts: the first ones, or for `coco` random images by `seed`. Default: 32 scenes or sounds, or all
    prompts of other sources."""
    objects: tuple[Annotated[int, Field(ge=1, le=3)], ...] = Field(default=(1, 2), min_length=1)
    """Numbers of objects per scene, or of events per sound, used in rotation."""
    split: Literal["train", "test"] = "test"
    """`test` scenes and sounds have combinations of attributes that the bundled models were not trained on."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random scenes or sounds, or of the random captions of COCO."""
    only: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Ids of the prompts to use, in this order. Default: all."""

    @model_validator(mode="after")
    def _source_has_what_it_needs(self) -> "PromptSpec":
        of_file = self.source in ("file", "coco", "parti")
        if of_file and not self.path:
            raise ValueError(f"source {self.source!r} needs path, the file of prompts")
        if self.path and not of_file:
            raise ValueError(f"path {self.path!r} needs source 'file', not {self.source!r}")
        if (self.source == "hub") != bool(self.dataset):
            raise ValueError(
                f"source {self.source!r} with dataset {self.dataset!r}: set both source: hub and dataset, or neither"
            )
        if (self.column or self.category_column) and self.source not in ("file", "hub"):
            raise ValueError(f"column needs source 'file' or 'hub', not {self.source!r}")
        return self


class Cell(Strict):
    """One setting of a run: its knobs, and its changes to the experiment's generation settings."""

    name: str = Field(pattern=CELL_NAME)
    """Short name, used in tables and figures."""
    knob: KnobSetting
    """The knob on attention; `vanilla` for plain attention."""
    guidance_rule: RuleSetting | None = None
    """A rule that replaces the pipeline's own guidance. Default: none."""
    condition: ConditionSetting | None = None
    """A knob on the text embeddings. Default: none."""
    generation: Overrides = Overrides()
    """Generation settings that override the experiment's in this cell."""

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """All knobs of the cell: on attention, on predictions, on the condition."""
        others = (self.guidance_rule, self.condition)
        return (self.knob, *(knob for knob in others if knob is not None))

    @property
    def is_plain(self) -> bool:
        """Whether the cell changes nothing: plain attention and no other knob."""
        return self.knob.kind == "vanilla" and len(self.knobs) == 1


class MeasureSpec(Strict):
    """The measures that are recorded in each self-attention block."""

    every: int = Field(default=1, ge=1)
    """Record every n-th step of the scheduler, with all its model calls."""
    detail: Literal["mean", "steps", "heads"] = "steps"
    """`mean`: means over steps, heads and columns; `steps`: a value for each step; `heads`: a value for each step and
    head."""
    columns: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    """Feature columns that are measured: all, or this number of random columns."""


class WorkerSpec(Strict):
    """Division and placement of the work. Does not affect the numbers, except with `eta_scope: batch`."""

    count: int | None = Field(default=None, ge=1)
    """Number of workers. Default: the number of GPUs, or of CPU cores divided by `threads`."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs per worker; may be a fraction. 0: run on the CPU."""
    batch: int = Field(default=8, ge=1)
    """Samples per batch of the model."""
    shard: int = Field(default=32, ge=1)
    """Approximate number of samples per shard. A shard holds whole prompts. It is the unit of work, retry and
    commit."""
    share_steps: bool = True
    """Compute the steps in which cells agree once for all of them, such as those before the windows of their knobs."""
    hang_limit: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Seconds that a worker may spend on one shard before it is killed and its shard is retried. 0: no limit. Default:
    20 times the usual time for a shard of this run, but at least an hour; 12 hours until the first shard is finished.
    A worker may take an hour to start."""


class MarginSpec(Strict):
    """The criterion for one metric or measure in a comparison of two runs."""

    metric: str
    """A metric, a measure (`energy`, `instability`, `alignment`, `symmetry`), `seconds` or `peak_memory`."""
    margin: float = Field(gt=0, allow_inf_nan=False)
    """The largest change that counts as no change."""
    relative: bool = False
    """Whether the margin is a share of the earlier run's mean. Always true for `seconds` and `peak_memory`."""
    better: Literal["higher", "lower", "neither"] | None = None
    """The better side. Default: the side that the metric declares; `neither` for measures."""
    required: bool = True
    """Whether the nightly flow fails if this metric is worse."""


class NightlySpec(Strict):
    """How a nightly run is compared with an earlier run, and how many nightly runs are kept. Does not affect the
    numbers."""

    baseline: str = Field(default="nightly", pattern=CELL_NAME)
    """Name of the baseline (`skewbench baseline set`) that each nightly run is compared with."""
    keep: int = Field(default=14, ge=1)
    """Number of nightly runs that are kept in the lake, in addition to baselines."""
    level: float = Field(default=0.01, gt=0, lt=0.5)
    """Level of all tests, adjusted for multiple tests over the table. Tests of speed form a separate family."""
    margins: tuple[MarginSpec, ...] = ()
    """Criteria by metric or measure. A metric without an entry has no margin and is not required."""
    measures_margin: float = Field(default=0.2, gt=0, allow_inf_nan=False)
    """Margin of measures without an entry, in standard deviations between the earlier run's images."""

    @model_validator(mode="after")
    def _metrics_are_distinct(self) -> "NightlySpec":
        names = [margin.metric for margin in self.margins]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"margins: duplicate entry {twice[0]!r}")
        return self


class Experiment(Strict):
    """A model, prompts and seeds, and the knob settings to compare."""

    model_config = ConfigDict(title="Field by field")

    name: str = Field(pattern=RUN_NAME)
    """Lower-case letters, digits and hyphens; the first part of the run's id."""
    description: str = ""
    """Free text; not used by skewbench."""
    model: ModelSpec = ModelSpec()
    prompts: PromptSpec = PromptSpec()
    seeds: int = Field(default=4, ge=1, le=100_000)
    """Images per prompt and cell."""
    shared_seeds: bool = False
    """Whether all prompts use the same noise seeds, as in the paper."""
    generation: GenerationSpec = GenerationSpec()
    cells: tuple[Cell, ...] = Field(min_length=1)
    measure: MeasureSpec = MeasureSpec()
    metrics: tuple[str, ...] = DEFAULT_METRICS
    """Names of the scorers that evaluate the samples."""
    required: tuple[str, ...] = ()
    """Scorers among `metrics` that the run needs. If their weights are missing, nothing is generated. If a cell has no
    value of one of them, the run is incomplete. Other scorers without weights are skipped, with the reason."""
    reference: str | None = None
    """Real images for `distribution`, or WAV files for `fad_clap`: a folder, or the id of another run, whose baseline
    is used."""
    max_unusable: float = Field(default=0.2, ge=0, le=1)
    """Share of a cell's samples that may be failed, blank or non-finite. If the share is larger, or no image is usable,
    the run is incomplete and fails. Run it again to retry the shards of these samples."""
    workers: WorkerSpec = WorkerSpec()
    repeat: str = ""
    """Any text. A new text makes a separate run of an unchanged experiment and build. Nightly runs use their scheduled
    time."""

    nightly: NightlySpec = NightlySpec()
    """Comparison with an earlier run."""

    @model_validator(mode="after")
    def _cells_are_distinct(self) -> "Experiment":
        names = [cell.name for cell in self.cells]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"cells: duplicate name {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _required_are_metrics(self) -> "Experiment":
        if others := sorted(set(self.required) - set(self.metrics)):
            raise ValueError(f"required: {others[0]!r} is not among the metrics")
        return self

    @property
    def baseline(self) -> str | None:
        """The first cell that has no knob and the experiment's own generation settings."""
        plain = (cell for cell in self.cells if cell.is_plain)
        return next((cell.name for cell in plain if not self.generation.changes(cell.generation)), None)

    def generation_of(self, cell: Cell) -> GenerationSpec:
        """Return the generation settings of a cell.

        Args:
            cell: A cell of the experiment.
        """
        return self.generation.overridden(cell.generation)


def parse_experiment(content: dict[str, object], where: str) -> Experiment:
    """Validate an experiment's fields strictly: a string is not accepted as a number.

    Args:
        content: The fields, as JSON values.
        where: File or form that they come from, for the error message.

    Raises:
        InputError: A field is wrong. The message lists each with its value and what is allowed.
    """
    try:
        return Experiment.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise InputError(f"{where}: {format_errors(error, Experiment)}") from None
