"""The fields of a search: typed and described, so that the Prefect UI shows them as a form."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skewbench.tasks.experiment import GenerationSpec, ModelSpec, PromptSpec, WorkerSpec
from skewbench.tasks.models import CAPTIONS
from skewbench.tasks.validation_errors import format_errors
from skewbench.vocabulary.errors import InputError


class Tuning(BaseModel):
    """A search for the best setting of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    objective: str = "binding, subject to msssim_diversity >= 0.95 of baseline"
    """The metric to improve, and bounds on others: METRIC, subject to METRIC >= NUMBER [of baseline] [and ...]."""
    budget: int = Field(default=1200, ge=1)
    """Total number of images to generate, including the baseline and the held-out measurement."""
    knobs: tuple[str, ...] = ()
    """Knobs to try, such as skew, guidance, cads, or weak-pag for a knob on attention as the weak branch of guidance.
    Default: all knobs that act directly on attention and declare a range."""
    model: ModelSpec = ModelSpec()
    prompts: PromptSpec | None = None
    """The source of the prompts. The search takes a random selection of the size it needs. Default: scenes for a
    bundled model, the package's natural prompts for other models."""
    seeds: int = Field(default=4, ge=1, le=1000)
    """Images per prompt and setting. A diversity metric needs at least 2."""
    generation: GenerationSpec = GenerationSpec()
    workers: WorkerSpec = WorkerSpec()
    seed: int = Field(default=0, ge=0, le=1_000_000)
    """Seed of the search. It selects the held-out prompts and the settings that are tried."""

    @property
    def source(self) -> PromptSpec:
        """The source of the prompts, defaults applied."""
        if self.prompts:
            return self.prompts
        return PromptSpec(source=CAPTIONS.get(self.model.id, "natural"))


def parse_tuning(content: dict[str, Any]) -> Tuning:
    """Validate the fields of a search strictly.

    Args:
        content: The fields, as JSON values.

    Raises:
        InputError: A field is wrong. The message lists each.
    """
    try:
        return Tuning.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise InputError(format_errors(error, Tuning)) from None
