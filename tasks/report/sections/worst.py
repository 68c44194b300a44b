"""Does the knob repair the worst images, beyond regression to the mean?"""

import polars as pl

from skewbench import sql
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, intervals, metric_column, numbers, words
from skewbench.tasks.report.hints import no_baseline, no_metric
from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import count, percent, show, signed, span
from skewbench.tasks.report.view import Column, Figure, Panel, Section, charts, table


def _beside(labels: Labels) -> tuple[Column, ...]:
    return (
        CELL,
        metric_column(labels, "chosen by", "chosen_by"),
        numbers("baseline", "baseline", show),
        numbers("change", "change", signed),
        intervals(sign=True),
        numbers("swap control", "swap", signed),
        intervals("swap_low", "swap_high", sign=True),
        numbers("n", "n", count),
    )


def _all(labels: Labels) -> tuple[Column, ...]:
    return (
        CELL,
        metric_column(labels, "chosen by", "chosen_by"),
        metric_column(labels, "change of"),
        words("on", "regime"),
        numbers("change", "change", signed),
        intervals(sign=True),
        numbers("n", "n", count),
        numbers("failed", "failed", count),
    )


def worst_section(answers: Answers) -> Section:
    """Show the change on the worst share by each metric, with the swap control.

    Args:
        answers: Answers of the run's queries.
    """
    frame = answers.worst
    return Section(
        "worst",
        "Does the knob repair the worst images?",
        "Regression to the mean: images selected because they scored badly score better when resampled, with or "
        "without the knob. The swap control removes this by also selecting on the knob's images; it is 0 if the knob "
        "has no effect.",
        (_figure(answers, frame),) if frame.height else (),
        () if frame.height else (no_baseline(answers) or no_metric(answers),),
    )


def beside_control(frame: pl.DataFrame) -> pl.DataFrame:
    """Join the change on the worst images, by the metric that selected them, with the columns of the swap control.

    Args:
        frame: Answer of the query `worst_fraction`.
    """
    own = frame.filter(pl.col("metric") == pl.col("chosen_by"))
    swap = own.filter(regime="swap").select(
        "cell",
        "metric",
        pl.col("change").alias("swap"),
        pl.col("low").alias("swap_low"),
        pl.col("high").alias("swap_high"),
    )
    return own.filter(regime="worst").join(swap, on=["cell", "metric"], how="left", maintain_order="left")


def _figure(answers: Answers, frame: pl.DataFrame) -> Figure:
    share = percent(frame["fraction"][0])
    first = frame.sort(pl.col("metric") != (answers.fidelity or ""), "metric", maintain_order=True)
    drawn = charts(sql.find("worst_fraction").draw(frame, answers.context))
    return Figure(
        title=f"The worst {share} of baseline images",
        meaning="Filled: the measured change, which includes regression to the mean. Hollow: the swap control, which "
        "does not.",
        panels=(Panel(drawn),) if drawn else (),
        query="worst_fraction",
        n=f"n = {span(frame['n'])} samples chosen",
        shown=(
            table(
                "Samples are selected by a metric of the baseline; the change is of the same metric.",
                beside_control(first),
                _beside(answers.labels),
            ),
        ),
        tables=(
            table(
                "Change of each metric on the worst and on the best samples, and the control.",
                frame,
                _all(answers.labels),
            ),
        ),
    )
