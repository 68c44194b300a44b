"""An experiment: a YAML file, validated here before anything is loaded or written.

Every field is typed and has a description, so that the Prefect UI shows the same experiment as a form.
"""

import json
from typing import TYPE_CHECKING, Annotated, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skewbench.stability.knobs import KNOBS, Knob
from skewbench.tasks.validation_errors import CELL_NAME, RUN_NAME, format_errors
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    KnobSetting = Knob
else:
    _kinds = sorted(KNOBS.names(), key=lambda kind: (kind != "vanilla", kind))
    KnobSetting = Annotated[Union[tuple(KNOBS.get(kind) for kind in _kinds)], Field(discriminator="kind")]  # noqa: UP007
"""A setting of any knob there is: the field `kind` says which."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelSpec(_Strict):
    """Which model, and in which precision."""

    id: str = "shapes-xl"
    """`shapes-xl` (bundled), a Hugging Face hub id, or a local folder in the hub's layout."""
    revision: str | None = None
    """Branch, tag or commit of a hub model; what it resolved to is recorded."""
    variant: str | None = None
    """File variant of a hub model, such as `fp16`."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Precision of weights and activations; energies are always float32."""


class PromptSpec(_Strict):
    """Where the prompts come from."""

    source: Literal["scenes", "natural", "file", "coco", "parti", "hub"] = "scenes"
    """`scenes`: captions of drawn scenes, with ground truth for scoring; `natural`: the package's own 210, in six
    categories; `file`: a text file, one prompt a line, or a table (.csv, .tsv, .jsonl, .parquet); `coco`:
    captions_val2014.json, one caption an image; `parti`: PartiPrompts.tsv; `hub`: a Hugging Face data set."""
    path: str | None = None
    """The file, for `file`, `coco` and `parti`; relative to the working folder."""
    dataset: str | None = None
    """For `hub`: `owner/name`, or `owner/name:subset/split`."""
    column: str | None = None
    """The table's column of prompts; without it, the first there is of prompt, Prompt, caption, text."""
    category_column: str | None = None
    """The table's column of categories, by which queries can group."""
    count: int | None = Field(default=None, ge=1)
    """How many prompts: the first ones; of `coco`, images drawn by `seed`. Without it: 32 scenes, or all."""
    objects: tuple[Annotated[int, Field(ge=1, le=3)], ...] = Field(default=(1, 2), min_length=1)
    """Objects in a scene, taken in turn."""
    split: Literal["train", "test"] = "test"
    """`test` scenes show combinations of colour, shape and texture that the bundled model never saw."""
    seed: int = Field(default=0, ge=0)
    """Which scenes, or captions of COCO, are drawn."""

    @model_validator(mode="after")
    def _source_has_what_it_needs(self) -> "PromptSpec":
        of_file = self.source in ("file", "coco", "parti")
        if of_file and not self.path:
            raise ValueError(f"source {self.source!r} needs path, the file of prompts")
        if self.path and not of_file:
            raise ValueError(f"path {self.path!r} is given, but source is {self.source!r}; use source 'file'")
        if (self.source == "hub") != bool(self.dataset):
            raise ValueError(
                f"source {self.source!r} with dataset {self.dataset!r}; source 'hub' and dataset need each other"
            )
        if (self.column or self.category_column) and self.source not in ("file", "hub"):
            raise ValueError(f"column is given, but source is {self.source!r}; it is for 'file' and 'hub'")
        return self


class Cell(_Strict):
    """One knob setting of a run."""

    name: str = Field(pattern=CELL_NAME)
    """Short name, used in tables and figures."""
    knob: KnobSetting


class GenerationSpec(_Strict):
    """How an image is made."""

    steps: int = Field(default=30, ge=1, le=1000)
    """Denoising steps."""
    guidance: float = Field(default=5.0, ge=1.0, le=50.0, allow_inf_nan=False)
    """Classifier-free guidance scale; 1 runs the conditional branch alone."""
    width: int | None = Field(default=None, ge=8, multiple_of=8)
    """Pixels; the model's own size where it is left out."""
    height: int | None = Field(default=None, ge=8, multiple_of=8)
    """Pixels; the model's own size where it is left out."""
    threads: int = Field(default=1, ge=1)
    """CPU threads a worker computes with. Part of what decides the numbers: sums differ in the last bits."""
    attention_kernel: Literal["torch", "triton"] = "torch"
    """What computes attention under a knob and for the measures. `triton` needs a GPU; sums differ in the last bits."""


class MeasureSpec(_Strict):
    """What is measured in each self-attention block."""

    every: int = Field(default=1, ge=1)
    """Measure each n-th step."""
    detail: Literal["mean", "steps", "heads"] = "steps"
    """`mean` over steps, heads and columns; `steps` keeps each step; `heads` each step and head."""
    columns: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    """Feature columns that are measured: all, or so many drawn at random."""


class WorkerSpec(_Strict):
    """How the work is cut and placed. Decides no numbers (but for `eta_scope: batch`)."""

    count: int | None = Field(default=None, ge=1)
    """Workers; as many as GPUs (or CPU cores / threads) where it is left out."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs a worker, fractions allowed. 0: on the CPU."""
    batch: int = Field(default=8, ge=1)
    """Samples that go through the model together."""
    shard: int = Field(default=32, ge=1)
    """Samples a shard, about: a shard holds whole prompts, and is the unit of work, retry and commit."""
    hang_limit: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Seconds that a worker may spend on one shard before it is killed and its shard is tried again. 0: no limit. Left
    out: 20 times the usual time for a shard of this run and at least an hour; 12 hours until the first shard is
    finished. No time in seconds fits all models and machines, and an unattended run must not wait for a hung worker
    for ever; so the default is a multiple, and generous. A worker may take an hour to start."""


class MarginSpec(_Strict):
    """What a comparison of two runs asks of one metric or measure."""

    metric: str
    """A metric; a measure (`energy`, `instability`, `alignment`, `symmetry`), all stages; `seconds`, `peak_memory`."""
    margin: float = Field(gt=0, allow_inf_nan=False)
    """The largest change that does not matter: two runs that differ by less are the same."""
    relative: bool = False
    """Whether the margin is a share of the earlier run's mean. Always so for `seconds` and `peak_memory`."""
    better: Literal["higher", "lower", "neither"] | None = None
    """Which side is better; what is known of the metric where left out. Measures: neither."""
    required: bool = True
    """Whether the nightly flow fails where it is worse."""


class NightlySpec(_Strict):
    """How a run is compared with an earlier one, and what the nightly flow keeps. Decides no numbers."""

    baseline: str = Field(default="nightly", pattern=CELL_NAME)
    """Name of the baseline (`skewbench baseline set`) that each night is compared with."""
    keep: int = Field(default=14, ge=1)
    """How many nights stay in the lake; those that a baseline names stay beside them."""
    level: float = Field(default=0.01, gt=0, lt=0.5)
    """Level of all tests, adjusted over the whole table; those of speed among themselves."""
    margins: tuple[MarginSpec, ...] = ()
    """What is asked of metrics and measures; one that is not named has no margin and is not required."""
    measures_margin: float = Field(default=0.2, gt=0, allow_inf_nan=False)
    """Margin of measures that are not named, in standard deviations between the earlier run's images."""

    @model_validator(mode="after")
    def _metrics_are_distinct(self) -> "NightlySpec":
        names = [margin.metric for margin in self.margins]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"margins: {twice[0]!r} is named more than once")
        return self


class Experiment(_Strict):
    """What to run: a model, prompts and seeds, and the knob settings to compare."""

    name: str = Field(pattern=RUN_NAME)
    """Lower-case letters, digits and hyphens; the first part of the run's id."""
    description: str = ""
    """For people."""
    model: ModelSpec = ModelSpec()
    prompts: PromptSpec = PromptSpec()
    seeds: int = Field(default=4, ge=1, le=100_000)
    """Images a prompt and cell."""
    shared_seeds: bool = False
    """Whether all prompts use the same noise seeds, as in the paper."""
    generation: GenerationSpec = GenerationSpec()
    cells: tuple[Cell, ...] = Field(min_length=1)
    measure: MeasureSpec = MeasureSpec()
    metrics: tuple[str, ...] = ("binding", "msssim_diversity", "sharpness", "contrast")
    """Scorers, by name."""
    required: tuple[str, ...] = ()
    """Scorers among `metrics` that the run needs. Without their weights nothing is generated; a cell for which one of
    them gives no value makes the run incomplete. The others are left out with the reason."""
    reference: str | None = None
    """Real images that `distribution` compares with: a folder, or another run's id (its baseline is taken)."""
    max_unusable: float = Field(default=0.2, ge=0, le=1)
    """Share of a cell's samples that may be failed, blank or non-finite. With more of them, or without any usable
    image, the run is incomplete and fails; run again, it generates the shards of these samples again."""
    workers: WorkerSpec = WorkerSpec()
    repeat: str = ""
    """Makes a run of an unchanged experiment and build a run of its own; the nightly flow sets its scheduled time."""

    nightly: NightlySpec = NightlySpec()
    """Comparison with an earlier run."""

    @model_validator(mode="after")
    def _cells_are_distinct(self) -> "Experiment":
        names = [cell.name for cell in self.cells]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"cells: the name {twice[0]!r} is used more than once")
        return self

    @model_validator(mode="after")
    def _required_are_metrics(self) -> "Experiment":
        if others := sorted(set(self.required) - set(self.metrics)):
            raise ValueError(f"required: {others[0]!r} is not among the metrics")
        return self

    @property
    def baseline(self) -> str | None:
        """The first cell with plain attention."""
        return next((cell.name for cell in self.cells if cell.knob.kind == "vanilla"), None)


def parse_experiment(content: dict[str, object], where: str) -> Experiment:
    """Validate an experiment's fields, strictly: a number is not read out of a string.

    Raises `InputError` with the mistakes: field, value, what is allowed.
    """
    try:
        return Experiment.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise InputError(f"{where}: {format_errors(error, Experiment)}") from None
