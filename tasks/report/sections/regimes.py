"""Does the knob improve unstable samples and leave stable ones unchanged?"""

import polars as pl

from skewbench import sql
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, intervals, metric_column, numbers, words
from skewbench.tasks.report.hints import no_baseline, no_metric
from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import count, show, signed, span
from skewbench.tasks.report.sections.scatter import scatter_figure
from skewbench.tasks.report.view import Column, Figure, Panel, Section, charts, listing, table


def _columns(labels: Labels) -> tuple[Column, ...]:
    return (
        CELL,
        metric_column(labels),
        words("regime", "regime"),
        numbers("baseline", "baseline", show),
        numbers("change", "change", signed),
        intervals(sign=True),
        numbers("n", "n", count),
        numbers("failed", "failed", count),
        numbers("worst case", "worst_case", signed),
    )


def regime_section(answers: Answers) -> Section:
    """Show the paired change by regime, one chart per metric.

    Args:
        answers: Answers of the run's queries.
    """
    frame = answers.regimes
    missing = () if frame.height else (no_baseline(answers) or no_metric(answers),)
    figures = (*((_figure(answers, frame),) if frame.height else ()), scatter_figure(answers))
    return Section(
        "regimes",
        "Does the knob help unstable images most?",
        "Unstable samples are the half whose baseline image has the lower Align over all blocks; stable ones are the "
        "other half. A good knob repairs unstable samples and leaves stable ones unchanged.",
        tuple(figure for figure in figures if figure),
        missing,
    )


def _figure(answers: Answers, frame: pl.DataFrame) -> Figure:
    shown = frame.filter(pl.col("regime").is_in(["unstable", "stable"]))
    drawn = charts(sql.find("regimes").draw(frame, answers.context))
    pairs = [f"{span(of_kind['n'])} {kind} pairs" for (kind,), of_kind in shown.group_by(["kind"], maintain_order=True)]
    return Figure(
        title="Paired change by regime",
        meaning="The change against the baseline's image of the same prompt and noise. Filled: unstable samples; "
        "hollow: stable samples. Bars are 95% intervals. A bar that crosses the dashed line shows no change.",
        panels=(Panel(drawn, "pair"),),
        query="regimes",
        n=f"n = {listing(pairs)} per cell and regime",
        tables=(
            table(
                "Difference: unstable minus stable. Worst case: each failed image counts as the worst in the run.",
                frame,
                _columns(answers.labels),
            ),
        ),
    )
