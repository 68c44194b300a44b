"""Finds the step of a pipeline's loop, and the branches of guidance, of each call of its denoiser."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

ROWS = {1: ("cond",), 2: ("uncond", "cond"), 3: ("uncond", "cond", "perturbed")}
"""Branches by their number in a batch, in the order of its rows, as diffusers concatenates them."""
WEAK = "weak"
"""The branch of an additional evaluation of `cond` under a knob, which `perturb` makes."""
BRANCHES = (*ROWS[3], WEAK)
"""All branches, in the order of answers."""


@dataclass(frozen=True)
class Loop:
    """Describes how a pipeline calls its denoiser.

    Args:
        scheduler: The pipeline's; a step of the loop ends when its `step` is called.
        branches: The branches of guidance that a step calls the denoiser for one by one, in this order, as FLUX,
            Qwen-Image, Lumina2 and Wan do ("cond", then "uncond"). A step may leave out the last ones. Empty: one call
            for all branches, as rows of a batch.

    Raises:
        ValueError: A branch that is not known.
    """

    scheduler: Any
    branches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.branches) - set(ROWS[3])):
            raise ValueError(f"branches={self.branches!r}: {unknown[0]!r} is none of {', '.join(ROWS[3])}")


@dataclass
class Position:
    """The current step and branch of the loop; one object for all blocks of a `perturb`."""

    loop: Loop | None = None
    step: int = -1
    """From 0; without a loop, the number of the model's call."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of the model's call by name, if a block needs them."""
    grid: tuple[int, int] | None = None
    """Rows and columns of the model's image tokens, if a knob needs them."""
    weak: bool = False
    """Whether this is the evaluation of the weak branch."""
    _call: int = -1
    """The number of the model's call within the step."""
    _ended: int = 0
    """Number of finished steps."""

    def called(self) -> None:
        """Count a call of the model.

        Raises:
            RuntimeError: More calls in a step than the loop has branches.
        """
        if self.loop is None:
            self.step += 1
            return
        self._call = self._call + 1 if self.step == self._ended else 0
        self.step = self._ended
        if self.loop.branches and self._call >= len(self.loop.branches):
            raise RuntimeError(
                f"step {self.step}: the model is called {self._call + 1} times, but the loop has the branches "
                f"{', '.join(self.loop.branches)}"
            )

    def branches(self, count: int) -> tuple[str, ...]:
        """Name the branches in the current call's rows.

        Args:
            count: Number of branches.

        Raises:
            ValueError: Another number of branches than the loop or a batch has.
        """
        if self.weak:
            return (WEAK,)
        if self.loop is not None and self.loop.branches:
            if count != 1:
                raise ValueError(f"the rows are {count} times the samples, but the loop calls branch by branch")
            return (self.loop.branches[self._call],)
        if count not in ROWS:
            raise ValueError(f"{count} branches: known are 1 (cond), 2 (uncond, cond) and 3 (uncond, cond, perturbed)")
        return ROWS[count]

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the scheduler's steps."""
        if self.loop is None:
            yield
            return
        scheduler = self.loop.scheduler
        before, own = scheduler.__dict__.get("step"), scheduler.step

        def step(*inputs: Any, **named: Any) -> Any:
            self._ended += 1
            return own(*inputs, **named)

        scheduler.step = step
        try:
            yield
        finally:
            if before is None:
                del scheduler.step
            else:
                scheduler.step = before
