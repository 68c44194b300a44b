"""The ranges of a knob's strengths that a search tries."""

from typing import NamedTuple

import annotated_types
from pydantic.fields import FieldInfo

from skewbench.stability.knobs.base import Knob, declared
from skewbench.stability.knobs.fields import Strength


class SearchRange(NamedTuple):
    """Values of a strength that a search tries."""

    low: float
    high: float
    log: bool


def search_ranges(cls: type[Knob]) -> dict[str, SearchRange]:
    """List the strengths of a knob that can be searched, with their ranges.

    Args:
        cls: The knob.

    Returns:
        By field, the range that its `Strength` declares, else the field's own bounds.
    """
    found = {}
    for name, field in declared(cls).items():
        for mark in (mark for mark in field.metadata if isinstance(mark, Strength)):
            low = mark.low if mark.low is not None else _limit(field, annotated_types.Ge, "ge")
            high = mark.high if mark.high is not None else _limit(field, annotated_types.Le, "le")
            if low is not None and high is not None:
                found[name] = SearchRange(low, high, mark.log)
    return found


def _limit(field: FieldInfo, kind: type, name: str) -> float | None:
    return next((float(getattr(mark, name)) for mark in field.metadata if isinstance(mark, kind)), None)
