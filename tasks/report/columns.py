"""The columns that tables share."""

from collections.abc import Callable
from typing import Any

from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import NONE, interval
from skewbench.tasks.report.view import Column


def words(name: str, key: str, write: Callable[[str], str] = str) -> Column:
    """Make a column of text; empty where the value is NULL.

    Args:
        name: Heading of the column.
        key: Field of a row.
        write: Formats a value.
    """
    return Column(name, lambda row: "" if row[key] is None else write(row[key]), number=False)


def numbers(name: str, key: str, write: Callable[[Any], str]) -> Column:
    """Make a column of numbers; a dash where the value is NULL.

    Args:
        name: Heading of the column.
        key: Field of a row.
        write: Formats a value.
    """
    return Column(name, lambda row: NONE if row[key] is None else write(row[key]))


def intervals(low: str = "low", high: str = "high", sign: bool = False) -> Column:
    """Make a column of 95% intervals.

    Args:
        low: Field of the lower end.
        high: Field of the upper end.
        sign: Whether positive numbers get a sign.
    """
    return Column("95% interval", lambda row: interval(row[low], row[high], sign))


CELL = Column("cell", lambda row: str(row["cell"]), number=False, cell=True)


def metric_column(labels: Labels, name: str = "metric", key: str = "metric") -> Column:
    """Make a column of metrics, written by their labels.

    Args:
        labels: Labels of the metrics.
        name: Heading of the column.
        key: Field of a row.
    """
    return words(name, key, labels.of)
