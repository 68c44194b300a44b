"""The section of a query that declares one: its figure, a table of its columns with their meanings, and n."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import polars as pl

from skewbench import sql
from skewbench.sql.registry import is_ours
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, intervals, numbers, words
from skewbench.tasks.report.hints import no_baseline, no_metric, no_stability
from skewbench.tasks.report.numbers import count, show, signed, span
from skewbench.tasks.report.view import Column, Figure, Panel, Section, charts, table

_HINTS: dict[str, Callable[[Answers], str | None]] = {
    "stability": no_stability,
    "baseline": no_baseline,
    "metric": lambda answers: no_metric(answers),
}
_CALLED = ("metric", "measure", "chosen_by", "fidelity", "diversity")
"""Columns of metrics and measures, which the page shows by their labels."""
_COUNTED = {"sample": "samples", "prompt": "prompts for diversity", "cell": "images", "measure": "samples for Align"}


def with_queries(own: Iterable[Section], answers: Answers) -> tuple[Section, ...]:
    """Insert the sections of queries into the page's own, each after the section that its query names.

    Args:
        own: The page's own sections.
        answers: Answers of the run's queries.
    """
    sections = list(own)
    left = [query for query in reversed(sql.named_queries()) if query.section and not _is_left_out(query, answers)]
    while left:
        places = {section.id: at for at, section in enumerate(sections)}
        query = next((query for query in left if query.section and query.section.after in places), left[0])
        left.remove(query)
        after = query.section.after if query.section else ""
        sections.insert(places.get(after, len(sections) - 1) + 1, query_section(answers, query))
    return tuple(sections)


def _is_left_out(query: sql.Query, answers: Answers) -> bool:
    return bool(query.section and query.section.only_with_rows) and answers.of(query.name).is_empty()


def query_section(answers: Answers, query: sql.Query) -> Section:
    """Make the section of a query.

    If another package's query fails, its section names the error, and the rest of the page is unaffected.

    Args:
        answers: Answers of the run's queries.
        query: A query that declares a section.
    """
    about = query.section
    assert about is not None  # noqa: S101  (callers ask those that declare one)
    try:
        return _section(answers, query, about)
    except Exception as error:
        if is_ours(query):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        line = f"Query `{query.name}` of `{query.package}` failed: {reason}"
        return Section(query.name, about.title, about.explanation, missing=(line,))


def _section(answers: Answers, query: sql.Query, about: sql.Section) -> Section:
    frame = answers.of(query.name)
    figures = tuple(_figure(answers, query, about, *part) for part in _parts(answers, frame, about.by))
    hints = (hint for need in about.needs if (hint := _HINTS[need](answers)))
    missing = () if figures else (next(hints, "The query has no rows for this run."),)
    return Section(query.name, about.title, about.explanation, figures, missing)


def _parts(answers: Answers, frame: pl.DataFrame, by: str) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """The variants of a figure: an addition to its heading, one to its n, and the rows."""
    if frame.is_empty():
        return
    if not by:
        yield "", "", frame
        return
    values = frame[by].unique(maintain_order=True).to_list()
    if by == "cell":
        values = [cell for cell in answers.cells if cell in values]
    for value in values:
        heading = f": {value}" if len(values) > 1 else ""
        yield heading, f"{by.replace('_', ' ')} {value}; ", frame.filter(pl.col(by) == value)


def _figure(
    answers: Answers, query: sql.Query, about: sql.Section, heading: str, part: str, frame: pl.DataFrame
) -> Figure:
    drawn = charts(query.draw(frame, answers.context), about.title)
    arrangement = "pair" if len(drawn) in (2, 4) else "many" if len(drawn) > 1 else ""
    if any(chart.layout for chart in drawn):
        arrangement = ""
    columns = tuple(_columns(answers, query, about.by))
    return Figure(
        title=f"{about.heading or query.question}{heading}",
        meaning=about.meaning,
        panels=(Panel(drawn, arrangement),) if drawn else (),
        query=query.name,
        n=f"{part}{_n(frame)}",
        tables=(table(f"{query.question}{heading}", frame, columns),),
    )


def _n(frame: pl.DataFrame) -> str:
    """Such as `n = 384 samples, n = 32 prompts for diversity`."""
    if "n" not in frame.columns or not frame["n"].count():
        return f"n = {count(frame.height)} rows"
    counted = frame.drop_nulls("n")
    if "kind" not in frame.columns:
        return f"n = {span(counted['n'])}"
    kinds = counted["kind"].unique(maintain_order=True).to_list()
    return ", ".join(f"n = {span(counted.filter(kind=kind)['n'])} {_COUNTED.get(kind, kind)}" for kind in kinds)


def _columns(answers: Answers, query: sql.Query, by: str) -> Iterator[Column]:
    """The declared columns; the run, and the column that figures are split by, are the same in each row."""
    names = {column.name for column in query.columns}
    with_interval = {"low", "high"} <= names
    sign = any(column.signed for column in query.columns)
    for column in query.columns:
        if column.name in ("run_id", by) or (with_interval and column.name == "high"):
            continue
        if with_interval and column.name == "low":
            yield _described(intervals(sign=sign), column.meaning.removeprefix("lower end of the "))
        elif column.name == "cell":
            yield _described(CELL, column.meaning)
        else:
            yield _described(_column(answers, column), column.meaning)


def _column(answers: Answers, column: sql.Column) -> Column:
    name, kind = column.heading, column.type
    if column.name in _CALLED:
        return words(name, column.name, answers.labels.of)
    if kind in ("DOUBLE", "FLOAT"):
        return numbers(name, column.name, signed if column.signed else show)
    if kind.endswith("INT") or kind == "INTEGER":
        return numbers(name, column.name, count)
    if kind == "BOOLEAN":
        return words(name, column.name, lambda value: "yes" if value else "no")
    return words(name, column.name)


def _described(column: Column, meaning: str) -> Column:
    return replace(column, meaning=meaning)
