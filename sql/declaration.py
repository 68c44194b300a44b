"""The declaration of a named query: columns, parameters, interval, figure and section. Imports nothing heavy."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import polars as pl

    from skewbench.sql.context import Context

Kind = Literal["number", "text", "cell", "branch", "verdict", "run", "metric"]
"""Kinds of parameter values."""


@dataclass(frozen=True)
class Column:
    """A column of a query's answer.

    Args:
        name: Name in the answer.
        type: DuckDB type, such as `DOUBLE`.
        meaning: Meaning of a value, in one line.
        label: Heading in the report's tables; by default the name in words.
        signed: Whether the report shows the sign of values, as for changes and correlations.
    """

    name: str
    type: str
    meaning: str
    label: str = ""
    signed: bool = False

    @property
    def heading(self) -> str:
        """The heading of the column in printed tables."""
        return self.label or self.name.replace("_", " ")


@dataclass(frozen=True)
class WhichMetrics:
    """The metrics that a parameter accepts.

    Args:
        words: After `metric`, such as `of an image`.
        condition: SQL over the view `metrics`.
    """

    words: str
    condition: str


OF_AN_IMAGE = WhichMetrics("of an image", "kind = 'sample'")
OF_AN_IMAGE_WITH_A_SIDE = WhichMetrics(
    "of an image that has a better side", "kind = 'sample' AND higher_is_better IS NOT NULL"
)
OF_A_SET = WhichMetrics("of a set of images", "kind <> 'sample'")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query: a session variable that its SQL reads. Unset it is NULL, and each has a default.

    Args:
        name: Name of the session variable.
        kind: Kind of its values, which `skewbench.sql.query` checks.
        meaning: What it selects, and its default, in one line.
        metrics: The metrics that it accepts; only for the kind `metric`.
        one_by_one: Whether '*' is answered cell by cell, so that more cells need no more memory. Only for the kind
            `cell`, in a query that orders its answer by run and cell and compares no cells.
    """

    name: str
    kind: Kind
    meaning: str
    metrics: WhichMetrics | None = None
    one_by_one: bool = False


@dataclass(frozen=True)
class Drawing:
    """One of the charts of a figure.

    Args:
        chart: An Altair chart.
        label: Text for screen readers; by default the title of the section or the question.
        title: Title above the chart, for figures with several charts.
        layout: `wide` or `narrow` for a chart with two versions, of which the page shows one by screen width.
    """

    chart: Any
    label: str = ""
    title: str = ""
    layout: Literal["", "wide", "narrow"] = ""


@dataclass(frozen=True)
class Section:
    """A section of the report that is made of one query: its figure, and a table of its columns.

    Args:
        title: Title of the section, such as a question.
        explanation: Text under the title.
        after: The section of the report, or the query, that it follows; by default the last one.
        heading: Heading of the figure; by default the query's question.
        meaning: What the figure shows.
        by: Column with one figure per value, such as `cell`.
        needs: What the answer needs. If the answer is empty, the section names the first of these that the run lacks.
        only_with_rows: Whether the report leaves the section out if the answer is empty, as for what few runs have.
    """

    title: str
    explanation: str
    after: str = ""
    heading: str = ""
    meaning: str = ""
    by: str = ""
    needs: tuple[Literal["stability", "baseline", "metric"], ...] = ()
    only_with_rows: bool = False


@dataclass(frozen=True)
class Query:
    """A named query: a package that contains `query.sql` and declares an instance as `QUERY`.

    The opening comment of `query.sql` has the question in its first line, then the method. Functions are named
    `module:function` within the package and imported when they are needed, so that a declaration imports nothing heavy.

    Args:
        package: Name of the package, `__name__`.
        name: Name of the query.
        source: Source of the question, such as a table of a paper.
        columns: Columns of the answer, in order.
        parameters: Parameters that a caller may set.
        interval: Function that yields the `Draws` of the answer's values over resamples of whole prompts, for the
            table `analysis`: `(connection, run_id, resamples) -> Iterator[Draws]`, with a connection to the run, its
            id, and the `Resamples` of its prompts (`skewbench.sql.resampling`). The SQL joins the view `intervals` to
            show them. Empty: none.
        figure: Function that draws an answer: `(answer, context) -> chart` or a sequence of `Drawing`, with a frame of
            the declared columns, which has at least one row, and the `skewbench.sql.context.Context` of its runs.
            Empty: none.
        section: Section of the report, or None.
    """

    package: str
    name: str
    source: str
    columns: tuple[Column, ...]
    parameters: tuple[Parameter, ...] = ()
    interval: str = ""
    figure: str = ""
    section: Section | None = None

    @cached_property
    def text(self) -> str:
        """Return the SQL, with its comments."""
        return (files(self.package) / "query.sql").read_text(encoding="utf-8")

    @property
    def question(self) -> str:
        """Return the question in one line."""
        return self._comment[0]

    @property
    def method(self) -> str:
        """Return the method: the rest of the SQL's opening comment, with empty lines between paragraphs."""
        return "\n".join(self._comment[1:]).strip()

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter with a name.

        Args:
            name: Name of the parameter.

        Returns:
            The parameter, or None if the query declares none of this name.
        """
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    def load(self, function: str) -> Callable[..., Any]:
        """Import a function of the package.

        Args:
            function: `module:function`, with the module relative to the package.
        """
        module, _, name = function.partition(":")
        loaded: Callable[..., Any] = getattr(import_module(f"{self.package}.{module}"), name)
        return loaded

    def draw(self, answer: "pl.DataFrame", context: "Context") -> list[Drawing]:
        """Draw the charts of an answer.

        Args:
            answer: The answer, with the columns that the query declares.
            context: Labels, and the order of cells and metrics.

        Returns:
            The charts; none if the query declares no figure or the answer is empty.
        """
        if not self.figure or answer.is_empty():
            return []
        drawn = self.load(self.figure)(answer, context)
        return list(drawn) if isinstance(drawn, Sequence) else [Drawing(drawn)]

    @cached_property
    def _comment(self) -> list[str]:
        opening = re.match(r"(?:--.*\n)+", self.text)
        lines = opening[0].splitlines() if opening else []
        return [line.removeprefix("--").removeprefix(" ") for line in lines] or [""]
