"""The states of attention that are compared, and their work in floating point operations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skewbench.stability import Knob, Recorder, Skew, Vanilla, perturb, rescaled
from skewbench.stability.knobs import Sketch
from skewbench.stability.rescaled import Choice, Way
from skewbench.stability.softmax import Kernel
from skewbench.vocabulary.measures import NAMES

PLAIN = "plain"


@dataclass(frozen=True)
class State:
    """A knob, and how many columns are measured ("all", a number, None: nothing). No knob: the model as it is."""

    knob: Knob | None
    columns: Any = None
    measures: tuple[str, ...] = NAMES
    kernel: Kernel = "torch"
    way: Way | None = None
    """How it is rescaled; None: as `rescaled.CHOICES` says."""

    def recorder(self) -> Recorder | None:
        return None if self.columns is None else Recorder(self.measures, columns=self.columns)

    @contextmanager
    def on(self, model: nn.Module, samples: int | None = None, recorder: Recorder | None = None) -> Iterator[None]:
        """Within it the model is in this state, and `recorder` measures it."""
        if self.knob is None:
            yield
        else:
            with perturb(model, self.knob, recorder, samples=samples, kernel=self.kernel):
                yield

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Within it the way to rescale is this state's. It holds for all models, so it surrounds single calls."""
        before = list(rescaled.CHOICES)
        if self.way is not None:
            types = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
            rescaled.CHOICES[:] = [Choice(self.way, device, types, lambda *_: True) for device in ("cpu", "cuda")]
        try:
            yield
        finally:
            rescaled.CHOICES[:] = before


STATIC = Skew(1.05, 5.0)
STATES: dict[str, State] = {
    PLAIN: State(None),
    "measured, 64 columns": State(Vanilla(), 64),
    "measured, all columns": State(Vanilla(), "all"),
    "knob, no rescale": State(replace(STATIC, rescale="off")),
    "knob": State(STATIC),
    "knob, sketch of 64": State(replace(STATIC, rescale=Sketch(64))),
    "knob, measured, 64 columns": State(STATIC, 64),
    "knob, measured, all columns": State(STATIC, "all"),
    "adaptive": State(Skew(1.2, 5.0, "dev", True)),
}


def work(call: Callable[[], object]) -> int:
    """Floating point operations of matrix products and convolutions. On the meta device nothing is computed for it."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())
