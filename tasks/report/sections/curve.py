"""What does each setting gain, and what does it cost? Diversity against fidelity, and every metric by cell."""

import polars as pl

from skewbench.sql.queries.operating_curve.figure import Axis, curve_points, operating_curve
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, intervals, metric_column, numbers, words
from skewbench.tasks.report.hints import no_metric
from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import count, show, span
from skewbench.tasks.report.view import Column, Figure, Panel, Section, Table, chart, table


def _columns(labels: Labels) -> tuple[Column, ...]:
    return (
        CELL,
        metric_column(labels),
        numbers("mean", "mean", show),
        intervals(),
        numbers("n", "n", count),
        Column("failed", lambda row: count(row["failed"] + row["blank"] + row["nonfinite"])),
        numbers("worst case", "worst_case", show),
    )


_AREAS = (
    words("knob", "family"),
    numbers("settings", "settings", count),
    Column("added area", lambda row: f"none: {row['reason']}" if row["reason"] else show(row["family_added"])),
    intervals(),
    words("on the front", "front"),
)


_OF_A_FAMILY = pl.col("family_added").is_not_null() | pl.col("reason").is_not_null()


def curve_section(answers: Answers) -> Section:
    """Show the operating curve, and a table of every metric by cell.

    Args:
        answers: Answers of the run's queries.
    """
    fidelity, diversity = answers.fidelity, answers.diversity
    figures: list[Figure] = []
    missing: list[str] = []
    behind = (_means(answers),) if answers.curve.height else ()
    if fidelity and diversity:
        figures.append(_curve(answers, fidelity, diversity, behind))
    else:
        lacks = [
            what for what, there in (("score of an image", fidelity), ("diversity metric", diversity)) if not there
        ]
        missing += [no_metric(answers, what) for what in lacks]
        if behind:
            meaning = "The curve needs both. These are the means of the run's metrics:"
            figures.append(
                Figure("Means by cell", meaning, (), "operating_curve", f"{len(answers.cells)} cells", (), behind)
            )
    return Section(
        "curve",
        "What does each setting cost and gain?",
        "A knob that only trades fidelity for diversity moves along a line; a good one moves up and to the right.",
        tuple(figures),
        tuple(missing),
    )


def _curve(answers: Answers, fidelity: str, diversity: str, behind: tuple[Table, ...]) -> Figure:
    kind = answers.metrics.filter(metric=diversity)["kind"].to_list()
    counted = "prompts" if "prompt" in kind else "images"
    points = curve_points(answers.curve, answers.context, answers.front)
    names = f"{answers.labels.of(fidelity)} against {answers.labels.of(diversity)}"
    label = f"Scatter of {names}, one point per cell, with 95% intervals"
    axes = (_described(answers, diversity), _described(answers, fidelity))
    meanings = filter(None, map(answers.labels.sentence, (fidelity, diversity)))
    return Figure(
        title=names,
        meaning=" ".join(
            [
                "One point per cell; bars are 95% intervals. The dashed line joins the settings "
                "that no other setting dominates.",
                *meanings,
            ]
        ),
        panels=(Panel((chart(operating_curve(points, *axes, answers.cells), label),)),),
        query="operating_curve",
        n=f"n = {span(points['fidelity_n'])} samples and {span(points['diversity_n'])} {counted} a cell",
        tables=behind,
        shown=(_areas(answers),) if answers.front.filter(_OF_A_FAMILY).height else (),
        legend=True,
    )


def _areas(answers: Answers) -> Table:
    """One row per family of knobs."""
    families = (
        answers.front.filter(_OF_A_FAMILY)
        .group_by("family", maintain_order=True)
        .agg(
            pl.col("family_added", "low", "high", "reason").first(),
            pl.len().alias("settings"),
            pl.col("cell").filter("on_front").str.join(", ").alias("front"),
        )
    )
    caption = (
        "Query pareto_front: the share of the plane, from the worst to the best of the cells' means, that each family "
        "of knobs dominates and the baseline alone does not."
    )
    return table(caption, families, _AREAS)


def _described(answers: Answers, metric: str) -> Axis:
    return Axis(answers.labels.of(metric), answers.metrics.filter(metric=metric)["higher_is_better"][0])


def _means(answers: Answers) -> Table:
    caption = (
        "Mean of each metric over finished and scored samples. Worst case: each failed sample counts as the worst "
        "value in the run, so a knob that destroys images does not look better."
    )
    return table(caption, answers.curve.sort("metric", "kind", "position"), _columns(answers.labels))
