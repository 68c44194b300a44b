"""A scorer that is registered for one test."""

from collections.abc import Callable
from typing import Any

import pytest

from skewbench.eval.scorers import Declaration, Metric, names
from skewbench.eval.scoring.declaration import REGISTRY
from skewbench.vocabulary.registry import Entry


def metric(name: str, **others: Any) -> Metric:
    """A metric whose fields do not matter."""
    fields = {"label": name, "meaning": "a toy", "better": "higher", "low": None, "high": None, "grows_with_n": False}
    return Metric(name=name, **(fields | others))


def register(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[..., Any], **others: Any) -> Declaration:
    """Register a scorer with one metric of its name until the test ends."""
    fields: dict[str, Any] = {"version": 1, "unit": "sample", "medium": "image", "metrics": (metric(name),)}
    fields |= {"needs": (), "weights": (), "set": "", "environment": None}
    declared = Declaration(name=name, make=make, **(fields | others))
    names()  # what is registered before discovery would be checked and kept
    monkeypatch.setitem(REGISTRY._items, name, Entry(name, declared, __name__))
    return declared
