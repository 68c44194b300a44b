"""Checks an experiment against its model, before anything is loaded: for a plan, and before a run."""

from collections.abc import Sequence

from skewbench.stability.blocks import Block
from skewbench.tasks.checks import check_media
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.generation_checks import check_generation
from skewbench.tasks.knob_checks import check_knobs
from skewbench.tasks.models import ModelSource, family_of_source


def check_on_model(experiment: Experiment, source: ModelSource | None, blocks: Sequence[Block]) -> None:
    """Check that the model can generate and measure what an experiment asks for.

    Args:
        experiment: The experiment, with the digests of its adapters.
        source: The model; None: it is not on this machine, and checks that need it are skipped.
        blocks: Its self-attention blocks, or assumed ones.

    Raises:
        InputError: Metrics of another medium, a generation setting or a knob that the model does not have.
    """
    if source is not None:
        check_media(experiment.metrics, family_of_source(source).medium, experiment.required)
    check_generation(experiment, source)
    check_knobs(experiment, source, blocks)
