"""The contents of the page before HTML: sections of figures, each with its charts, its query, n and table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from skewbench.sql import Drawing


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite chart. `layout`: `wide` or `narrow` for one of two that stand for each other, else empty."""

    spec: dict[str, Any]
    label: str  # text for screen readers
    title: str = ""
    layout: str = ""


@dataclass(frozen=True)
class Column:
    """A table's column. `write` gets a row and returns the text."""

    name: str
    write: Callable[[dict[str, Any]], str]
    number: bool = True
    cell: bool = False  # the name of a cell, shown with its colour
    wrap: bool = False  # a sentence, which may take several lines
    meaning: str = ""  # what it says, below the table; empty where its name says it


@dataclass(frozen=True)
class Table:
    """Texts by row. The first column is each row's header."""

    caption: str
    columns: tuple[Column, ...]
    rows: list[list[str]]


@dataclass(frozen=True)
class Panel:
    """Charts that stand side by side. `value`: of a choice, where the reader chooses between panels."""

    charts: tuple[Chart, ...]
    arrangement: str = ""  # pair, many: how narrow the charts may get before they go below each other
    value: str = ""
    heading: str = ""


@dataclass(frozen=True)
class Figure:
    """One question answered: charts, what they mean, the query behind them, n, and the numbers."""

    title: str
    meaning: str
    panels: tuple[Panel, ...]
    query: str
    n: str
    tables: tuple[Table, ...]  # behind the figure
    shown: tuple[Table, ...] = ()  # part of the figure
    legend: bool = False  # of the cells
    choice: tuple[tuple[str, str], ...] = ()  # (value, label): the reader chooses one
    choice_label: str = ""
    command: bool = False  # `query` is a command of its own


@dataclass(frozen=True)
class Section:
    """A part of the page. `missing`: what is not there, why, and how to get it."""

    id: str
    title: str
    meaning: str
    figures: tuple[Figure, ...] = ()
    missing: tuple[str, ...] = ()


def chart(drawn: alt.TopLevelMixin, label: str, title: str = "", layout: str = "") -> Chart:
    """Prepare a chart of `skewbench.eval.figures` for the page.

    Args:
        drawn: The chart.
        label: Description for screen readers.
        title: Heading above the chart; empty: none.
        layout: `wide` or `narrow`: screens that show the chart; empty: all.
    """
    # not validated against the schema here: slow, and each figure's test compiles it
    spec = drawn.to_dict(validate=False, context={"pre_transform": False})
    spec.pop("config", None)  # the page's own configuration counts
    return Chart(spec | {"description": label}, label, title, layout)


def charts(drawings: Iterable[Drawing], label: str = "") -> tuple[Chart, ...]:
    """Prepare the charts of a query's figure for the page.

    Args:
        drawings: The charts, with their labels.
        label: Label of charts that have none.
    """
    return tuple(chart(one.chart, one.label or label, one.title, one.layout) for one in drawings)


def table(caption: str, frame: pl.DataFrame, columns: Sequence[Column]) -> Table:
    """Format the rows of a frame as texts.

    Args:
        caption: Caption of the table.
        frame: The rows.
        columns: The columns, each of which formats its fields of a row.
    """
    rows = [[column.write(row) for column in columns] for row in frame.iter_rows(named=True)]
    return Table(caption, tuple(columns), rows)


def listing(names: Iterable[str]) -> str:
    """Join names as `a, b and c`.

    Args:
        names: At least one name.
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
