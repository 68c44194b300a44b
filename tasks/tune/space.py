"""The search space: the strengths of each knob within the ranges that it declares."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np
from jaxtyping import Float

from skewbench.stability.knobs import KNOBS, AttentionKnob, Knob, SteppedKnob, Vanilla, search_ranges
from skewbench.tasks.experiment import Cell
from skewbench.vocabulary.errors import InputError


@dataclass(frozen=True)
class Axis:
    """A strength of a knob that is searched.

    Args:
        field: Its field.
        low: Lowest value.
        high: Highest value.
        log: Whether equal ratios are equally likely.
    """

    field: str
    low: float
    high: float
    log: bool

    def value(self, share: float) -> float:
        """Return the value at a share of the range.

        Args:
            share: Share of the range, from 0 to 1; on a logarithmic axis, of its logarithm.
        """
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def share(self, value: float) -> float:
        """Return the share of the range at which a value lies: the inverse of `value`.

        Args:
            value: A value of the axis.
        """
        if self.log:
            return log(value / self.low) / log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


WEAK = "weak-"
"""Before the kind of a knob on attention: it acts as the weak branch of guidance."""
_SCALE = Axis("weak", 0.0, 5.0, False)
"""The scale of a weak branch."""


@dataclass(frozen=True)
class Space:
    """The settings that a search tries.

    Args:
        axes: Axes by name: a knob's kind, or `weak-` and the kind of a knob that acts as the weak branch of guidance.
        steps: Calls of the model, in one of which a setting must act; None: not checked.
    """

    axes: Mapping[str, tuple[Axis, ...]]
    steps: int | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self.axes)

    def __getitem__(self, name: str) -> tuple[Axis, ...]:
        return self.axes[name]


def space_of(names: Sequence[str] = (), steps: int | None = None) -> Space:
    """Build the search space of some knobs.

    Args:
        names: Their names (see `Space`); empty: all that act directly on attention and declare a range.
        steps: As for `Space`.

    Raises:
        InputError: An unknown knob, or one without anything to search.
    """
    every = {kind: _axes(kind) for kind in KNOBS.names()}
    on_attention = [kind for kind in every if issubclass(KNOBS.get(kind), AttentionKnob) and every[kind]]
    every |= {f"{WEAK}{kind}": (_SCALE, *every[kind]) for kind in on_attention}
    searchable = ", ".join(name for name, axes in every.items() if axes)
    for name in names:
        if name not in every:
            raise InputError(f"knobs {name!r}: no such knob; there are {searchable}")
        if not every[name]:
            raise InputError(
                f"knobs {name!r}: none of its strengths declares a range to search; there are {searchable}"
            )
    return Space({name: every[name] for name in dict.fromkeys(names or on_attention)}, steps)


def _axes(kind: str) -> tuple[Axis, ...]:
    ranges = search_ranges(KNOBS.get(kind))
    return tuple(Axis(field, low, high, log) for field, (low, high, log) in ranges.items())


def name_of(knob: Knob) -> str:
    """Return the name of a setting's knob in a search space.

    Args:
        knob: The setting.
    """
    return knob.kind if getattr(knob, "weak", None) is None else f"{WEAK}{knob.kind}"


def example_of(name: str) -> Knob:
    """Return the usual setting of a knob.

    Args:
        name: Its name in a search space, with `weak-` before it for the weak branch of guidance.
    """
    example = KNOBS.get(name.removeprefix(WEAK)).example()
    return replace(example, weak=1.0) if name.startswith(WEAK) else example  # type: ignore[call-arg]


def cell_of(name: str, knob: Knob) -> Cell:
    """Make a cell with a setting in its place: on attention, on predictions or on the condition.

    Args:
        name: Name of the cell.
        knob: The setting.
    """
    others: dict[str, Any] = {"predictions": {"guidance_rule": knob}, "condition": {"condition": knob}}
    return Cell(name=name, **{"knob": Vanilla(), **others.get(knob.place, {"knob": knob})})


def knob_at(name: str, place: Float[np.ndarray, "axes"], space: Space) -> Knob | None:
    """Make a setting: the knob's usual one with other strengths, rounded to three digits.

    Args:
        name: The knob's name in the space.
        place: Its strengths as shares of their ranges, in [0, 1].
        space: The search space.

    Returns:
        The setting; None if the knob refuses these strengths together, or acts in none of the steps with them.
    """
    axes = zip(space[name], place, strict=True)
    values = {axis.field: float(f"{axis.value(float(share)):.3g}") for axis, share in axes}
    try:
        knob = replace(example_of(name), **values)
        if space.steps is not None and isinstance(knob, SteppedKnob):
            knob.check_steps(space.steps)
    except ValueError:
        return None
    return knob


def place_of(knob: Knob, space: Space) -> Float[np.ndarray, "axes"]:
    """Read a setting's strengths as shares of their ranges (the inverse of `knob_at`).

    Args:
        knob: The setting.
        space: The axes of each kind of knob.
    """
    return np.array([axis.share(float(getattr(knob, axis.field))) for axis in space[name_of(knob)]])
