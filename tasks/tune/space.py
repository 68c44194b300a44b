"""The search space: the strengths of each knob within the ranges that it declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from jaxtyping import Float

from skewbench.stability.knobs import KNOBS, Knob, search_ranges
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


Space = Mapping[str, tuple[Axis, ...]]
"""Axes by knob."""


def space_of(kinds: Sequence[str] = ()) -> Space:
    """Build the search space of some knobs.

    Args:
        kinds: Their kinds; empty: all on attention that declare a range.

    Raises:
        InputError: An unknown knob, or one without anything to search.
    """
    every = {kind: _axes(kind) for kind in KNOBS.names() if KNOBS.get(kind).place == "attention"}
    searchable = [kind for kind, axes in every.items() if axes]
    for kind in kinds:
        if kind in KNOBS.names() and kind not in every:
            raise InputError(f"knobs {kind!r}: a search tries knobs on attention; there are {', '.join(searchable)}")
        if kind not in every:
            raise InputError(f"knobs {kind!r}: no such knob; there are {', '.join(searchable)}")
        if not every[kind]:
            raise InputError(
                f"knobs {kind!r}: none of its strengths declares a range to search; there are {', '.join(searchable)}"
            )
    return {kind: every[kind] for kind in dict.fromkeys(kinds or searchable)}


def _axes(kind: str) -> tuple[Axis, ...]:
    ranges = search_ranges(KNOBS.get(kind))
    return tuple(Axis(field, low, high, log) for field, (low, high, log) in ranges.items())


def knob_at(kind: str, place: Float[np.ndarray, "axes"], space: Space) -> Knob | None:
    """Make a setting: the knob's usual one with other strengths, rounded to three digits.

    Args:
        kind: The knob.
        place: Its strengths as shares of their ranges, in [0, 1].
        space: The search space.

    Returns:
        The setting; None if the knob refuses these strengths together.
    """
    axes = zip(space[kind], place, strict=True)
    values = {axis.field: float(f"{axis.value(float(share)):.3g}") for axis, share in axes}
    try:
        return replace(KNOBS.get(kind).example(), **values)
    except ValueError:
        return None


def place_of(knob: Knob, space: Space) -> Float[np.ndarray, "axes"]:
    """Read a setting's strengths as shares of their ranges (the inverse of `knob_at`)."""
    return np.array([axis.share(float(getattr(knob, axis.field))) for axis in space[knob.kind]])
