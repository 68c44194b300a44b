"""Did anything change against another run? The same images of both, paired."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from skewbench import sql
from skewbench.eval.statistics import benjamini_hochberg
from skewbench.storage.records import Manifest
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, intervals, metric_column, numbers
from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import count, show, signed, span
from skewbench.tasks.report.view import Column, Figure, Panel, Section, charts, table


@dataclass(frozen=True)
class Comparison:
    """Another run, and the answer of `run_changes` against it."""

    other: Manifest
    changes: pl.DataFrame


def _columns(labels: Labels) -> tuple[Column, ...]:
    return (
        CELL,
        metric_column(labels),
        numbers("before", "before", show),
        numbers("now", "mean", show),
        numbers("change", "change", signed),
        intervals(sign=True),
        numbers("q", "q", lambda q: "< 0.001" if q < 0.001 else f"{q:.3f}"),
        numbers("n", "n", count),
        Column("failed, before and now", lambda row: f"{count(row['failed_before'])}, {count(row['failed'])}"),
    )


def against_section(answers: Answers, comparison: Comparison) -> Section:
    """Show the change of each cell and metric against another run, with the false discovery rate over the table.

    Args:
        answers: Answers of the run's queries.
        comparison: The other run and the changes.
    """
    other = comparison.other.run_id
    frame = comparison.changes.with_columns(q=pl.Series(_q_values(comparison.changes), dtype=pl.Float64))
    missing = (
        ()
        if frame.height
        else (
            f"No image of {other} can be paired with one of this run: the runs have no cell of the same name with "
            "images of the same prompt, noise and size.",
        )
    )
    return Section(
        "against",
        f"What changed against {other}?",
        f"The same prompts and noise in both runs. {_differs(answers.run, comparison.other)}",
        (_figure(answers, frame, other),) if frame.height else (),
        missing,
    )


def _q_values(frame: pl.DataFrame) -> list[float | None]:
    """Each change's p-value, adjusted over the table; None without a p-value."""
    if frame.is_empty():
        return []
    error = frame["error"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    change = frame["change"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(change == 0, 1.0, 2 * stats.norm.sf(np.abs(change / error)))
    return [None if np.isnan(q) else float(q) for q in benjamini_hochberg(np.where(np.isnan(error), np.nan, p))]


def _figure(answers: Answers, frame: pl.DataFrame, other: str) -> Figure:
    moved = frame.filter(pl.col("q") < 0.05)
    drawn = charts(sql.find("run_changes").draw(frame, answers.context))
    changed = frame.filter(~pl.col("same_knob"))["cell"].unique().sort().to_list()
    knobs = f" The setting of {', '.join(changed)} differs between the runs." if changed else ""
    found = f"{moved.height} of {frame.height} changes" if moved.height else f"None of {frame.height} changes"
    return Figure(
        title="Change against the other run",
        meaning=f"{found} stand out at a false discovery rate of 5% over the table (q, Benjamini and Hochberg).{knobs}",
        panels=(Panel(drawn, "pair"),) if drawn else (),
        query="run_changes",
        n=f"n = {span(frame['n'])} pairs",
        shown=(table(f"This run against {other}.", frame, _columns(answers.labels)),),
        tables=(),
    )


def _differs(run: Manifest, other: Manifest) -> str:
    """Describe the differing settings that decide numbers. `repeat` only tells runs apart, so it is ignored."""
    known = sorted(run.identity | other.identity)
    names = [name for name in known if name != "repeat" and _of(run, name) != _of(other, name)]
    return (
        f"The runs differ in settings that affect the numbers: {', '.join(names)}."
        if names
        else "The runs agree in everything that affects the numbers."
    )


def _of(run: Manifest, name: str) -> Any:
    return run.identity.get(name)
