"""The columns that tables share."""

from collections.abc import Callable
from typing import Any

from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import NONE, interval
from skewbench.tasks.report.view import Column


def words(name: str, key: str, write: Callable[[str], str] = str) -> Column:
    """A column of text; empty where there is none."""
    return Column(name, lambda row: "" if row[key] is None else write(row[key]), number=False)


def numbers(name: str, key: str, write: Callable[[Any], str]) -> Column:
    """A column of numbers; a dash where there is none."""
    return Column(name, lambda row: NONE if row[key] is None else write(row[key]))


def intervals(low: str = "low", high: str = "high", sign: bool = False) -> Column:
    """A column of 95% intervals."""
    return Column("95% interval", lambda row: interval(row[low], row[high], sign))


CELL = Column("cell", lambda row: str(row["cell"]), number=False, cell=True)


def metric_column(labels: Labels, name: str = "metric", key: str = "metric") -> Column:
    """A column of metrics, by their labels."""
    return words(name, key, labels.of)
