"""Summarises a run in Markdown, for places that show no HTML: findings, figures as inline images, failures."""

import base64
import html
import re
from collections.abc import Iterator

from skewbench import sql
from skewbench.eval.figures import draw
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.findings import find
from skewbench.tasks.report.sections.curve import curve_section
from skewbench.tasks.report.sections.of_query import query_section
from skewbench.tasks.report.sections.stability import stability_section
from skewbench.tasks.report.view import Chart, Figure

LARGEST = 300_000
"""Characters of a figure; a larger one is left to the report."""
_FAULTS = 5
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~^$:@/])")


def summarise(answers: Answers) -> str:
    """Summarise a run, finished or not, in Markdown. Text that people wrote is escaped.

    Args:
        answers: Answers of the run's queries.
    """
    return "\n\n".join([*_head(answers), *_findings(answers), *_figures(answers), *_faults(answers)]) + "\n"


def inert(text: str) -> str:
    """Escape text so that Markdown renders it as itself: no HTML, no markup, no link, in one line.

    Args:
        text: Any text.
    """
    return html.escape(_MARKS.sub(r"\\\1", " ".join(text.split())), quote=False)


def _head(answers: Answers) -> Iterator[str]:
    run = answers.run
    yield f"## {inert(run.run_id)}"
    if run.experiment.get("description"):
        yield inert(run.experiment.get("description", ""))
    yield f"{run.status}, {len(answers.cells)} cells, {run.samples} samples planned"


def _findings(answers: Answers) -> Iterator[str]:
    found = find(answers)
    for group in found.groups:
        if group.sentences:
            yield f"**{inert(group.title)}**"
            yield "\n".join(f"- {inert(sentence)}" for sentence in group.sentences)
    yield f"{found.stated} of {found.candidates} candidate findings hold."


def _figures(answers: Answers) -> Iterator[str]:
    correlations = query_section(answers, sql.find("correlations"))
    for section in (curve_section(answers), correlations, stability_section(answers)):
        for figure in section.figures[:1]:
            yield from _figure(figure)
        yield from (inert(missing) for missing in section.missing)


def _figure(figure: Figure) -> Iterator[str]:
    charts = [chart for panel in figure.panels[:1] for chart in panel.charts if chart.layout != "narrow"]
    drawn = [image for chart in charts if (image := _image(chart))]
    if drawn:
        yield f"### {inert(figure.title)}"
        yield from drawn
        yield f"{inert(figure.meaning)} Query `{figure.query}`; {inert(figure.n)}."


def _image(chart: Chart) -> str | None:
    # PNG: an SVG's words would be set in the reader's fonts, and cut off where these are wider
    encoded = base64.b64encode(draw(chart.spec)).decode()
    return f"![{inert(chart.label)}](data:image/png;base64,{encoded})" if len(encoded) <= LARGEST else None


def _faults(answers: Answers) -> Iterator[str]:
    faults = answers.run.failed_jobs
    if faults:
        yield f"### {len(faults)} jobs failed"
        yield "\n".join(f"- {inert(fault.job)}: {inert(fault.error)}" for fault in faults[:_FAULTS])
