"""The settings that all samples of a run share, and device errors. Imports neither torch nor diffusers."""

from dataclasses import dataclass

from skewbench.tasks.experiment import Cell, MeasureSpec, ModelSpec
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.size import Size
from skewbench.vocabulary.metrics import Medium

DEVICE_ERRORS = ("CUDA error", "AcceleratorError", "device-side assert")
"""Signs in an error's text that the process can't use its device any more."""


@dataclass(frozen=True)
class Setting:
    """The settings that all samples of a run share."""

    run_id: str
    model: ModelSpec
    revision: str
    generation: GenerationSpec
    """The experiment's; a cell may override some of it."""
    measure: MeasureSpec
    size: Size
    batch: int
    medium: Medium = "image"
    sharing: tuple[Cell, ...] = ()
    """The cells that may share steps: all of them, or none."""


class BrokenDeviceError(Exception):
    """A sample left the device in an unknown state. The process must end, and the shard continues without the sample.

    Its arguments: the samples' ids, and the reason.
    """
