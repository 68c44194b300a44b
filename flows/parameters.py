"""The parameters of flows, as the Prefect UI shows them: typed, described, and with defaults that can run unchanged."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from skewbench.flows import experiments
from skewbench.tasks.experiment import Experiment, parse_experiment
from skewbench.tasks.trackers.registry import trackers


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Bundled(_Form):
    """A bundled experiment, at full size or smaller."""

    model_config = ConfigDict(title="By name")
    name: Annotated[str, Field(json_schema_extra={"enum": [*experiments.bundled()]})] = "demo"
    """demo runs on any machine, in a few minutes on two cores. The paper's experiments need a GPU and SDXL's
    weights."""
    prompts: int = Field(default=0, ge=0)
    """Number of prompts, counted from the first. 0: the experiment's number."""
    seeds: int = Field(default=0, ge=0)
    """Images per prompt and cell. 0: the experiment's number."""
    steps: int = Field(default=0, ge=0, le=1000)
    """Denoising steps. 0: the experiment's number."""
    prompts_file: str = ""
    """A file on the machine that runs the flow: text with one prompt per line, or a table with a column of prompts
    (.csv, .tsv, .jsonl, .parquet). Empty: the experiment's own prompts."""


class Pasted(_Form):
    """An experiment as YAML."""

    model_config = ConfigDict(title="As YAML")
    yaml: str = Field(json_schema_extra={"format": "yaml"})
    """The complete experiment: name, model, prompts, cells and other fields."""


Tracker = Annotated[str, Field(json_schema_extra={"enum": ["", *trackers.names()]})]
"""A tracker by its name; empty: none."""
Choice = Bundled | Pasted | Experiment
DEMO = Bundled()


def choose(given: Choice) -> Experiment:
    """Return the chosen experiment.

    Args:
        given: The parameter of the flow.

    Raises:
        InputError: The experiment has errors.
    """
    if isinstance(given, Pasted):
        return experiments.parse(given.yaml, "the pasted experiment")
    if isinstance(given, Bundled):
        return _changed(given)
    return given


def _changed(given: Bundled) -> Experiment:
    content: dict[str, Any] = experiments.load(given.name).model_dump(mode="json")
    if given.prompts_file:
        content["prompts"] = {"source": "file", "path": given.prompts_file}
    if given.prompts:
        content["prompts"]["count"] = given.prompts
    if given.seeds:
        content["seeds"] = given.seeds
    if given.steps:
        content["generation"]["steps"] = given.steps
    return parse_experiment(content, given.name)
