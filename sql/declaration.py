"""What a named query declares: its columns and parameters, and what is made of its answer. Imports nothing heavy."""

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
"""What a parameter's value is."""


@dataclass(frozen=True)
class Column:
    """A column of a query's answer.

    Args:
        name: In the answer.
        type: DuckDB's name of its type, such as `DOUBLE`.
        meaning: What a value says, in one line.
        label: Heading in the report's tables; by default the name in words.
        signed: Whether values are changes or correlations, which the report writes with their sign.
    """

    name: str
    type: str
    meaning: str
    label: str = ""
    signed: bool = False

    @property
    def heading(self) -> str:
        """The heading of the column in a table for people."""
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
        name: Of the session variable.
        kind: What its values are, which `skewbench.sql.query` checks.
        meaning: What it chooses, and its default, in one line.
        metrics: Which metrics it accepts, for the kind `metric` alone.
    """

    name: str
    kind: Kind
    meaning: str
    metrics: WhichMetrics | None = None


@dataclass(frozen=True)
class Drawing:
    """One of the charts of a figure.

    Args:
        chart: Of altair.
        label: What a screen reader says of it; by default the title of the section or the question.
        title: Above the chart, where a figure has several.
        layout: `wide` or `narrow` for one of two that stand for each other, by the width of the screen.
    """

    chart: Any
    label: str = ""
    title: str = ""
    layout: Literal["", "wide", "narrow"] = ""


@dataclass(frozen=True)
class Section:
    """A section of the report that is made of one query: its figure, and a table of its columns.

    Args:
        title: Of the section, such as a question.
        explanation: Under the title.
        after: The section of the report, or the query, that it follows; by default the last of them.
        heading: Of the figure; by default the query's question.
        meaning: What the figure shows.
        by: Column whose values have a figure each, such as `cell`.
        needs: What the run lacks where the answer is empty, the first that it does lack.
    """

    title: str
    explanation: str
    after: str = ""
    heading: str = ""
    meaning: str = ""
    by: str = ""
    needs: tuple[Literal["stability", "baseline", "metric"], ...] = ()


@dataclass(frozen=True)
class Query:
    """A named query: a package that holds `query.sql` and declares one of these as `QUERY`.

    The opening comment of `query.sql` has the question in its first line, then the method. Functions are named
    `module:function` within the package and imported when they are needed, so that a declaration imports nothing heavy.

    Args:
        package: The package itself, `__name__`.
        name: Of the query.
        source: Where the question comes from, such as a table of a paper.
        columns: Of the answer, in its order.
        parameters: That a caller may set.
        interval: Function that yields the `Draws` of the answer's values over resamples of whole prompts, for the
            table `analysis`: `(connection, run_id, resamples) -> Iterator[Draws]` (`skewbench.sql.resampling`). The SQL
            joins the view `intervals` to show them. Empty: none.
        figure: Function that draws an answer which has rows: `(answer, context) -> chart` or a sequence of `Drawing`,
            with a `skewbench.sql.context.Context`. Empty: none.
        section: Its section of the report, or None.
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
        """The SQL, with its comments."""
        return (files(self.package) / "query.sql").read_text(encoding="utf-8")

    @property
    def question(self) -> str:
        """What the query answers, in one line."""
        return self._comment[0]

    @property
    def method(self) -> str:
        """How the query answers it; lines of at most 120 letters, and empty lines between paragraphs."""
        return "\n".join(self._comment[1:]).strip()

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of a name, or None."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    def load(self, function: str) -> Callable[..., Any]:
        """A function of the package by `module:function`; imports the module."""
        module, _, name = function.partition(":")
        loaded: Callable[..., Any] = getattr(import_module(f"{self.package}.{module}"), name)
        return loaded

    def draw(self, answer: "pl.DataFrame", context: "Context") -> list[Drawing]:
        """The charts of an answer; none where the query declares no figure or the answer has no rows."""
        if not self.figure or answer.is_empty():
            return []
        drawn = self.load(self.figure)(answer, context)
        return list(drawn) if isinstance(drawn, Sequence) else [Drawing(drawn)]

    @cached_property
    def _comment(self) -> list[str]:
        opening = re.match(r"(?:--.*\n)+", self.text)
        lines = opening[0].splitlines() if opening else []
        return [line.removeprefix("--").removeprefix(" ") for line in lines] or [""]
