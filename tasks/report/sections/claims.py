"""Does this run agree with the published claims? One row per claim."""

from functools import partial

import polars as pl

from skewbench.eval.claims import published_claims
from skewbench.tasks.claims import counted
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import intervals, numbers, words
from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import count, signed
from skewbench.tasks.report.view import Column, Figure, Section, listing, table


def _metric(labels: Labels, row: dict[str, str | None]) -> str:
    """The published metric, with the metric that was used instead in brackets."""
    metric, ours = row["metric"], row["measured_by"]
    if metric is None:
        return " and ".join(map(labels.of, (ours or "").split(" and ")))
    return labels.of(metric) if ours in (None, metric) else f"{labels.of(metric)} (here: {labels.of(str(ours))})"


def _columns(labels: Labels) -> tuple[Column, ...]:
    return (
        Column("claim", lambda row: row["claim"], number=False, wrap=True),
        words("verdict", "verdict"),
        Column("metric", partial(_metric, labels), number=False),
        numbers("published", "published", signed),
        numbers("here", "ours", signed),
        intervals(sign=True),
        numbers("n", "n", count),
    )


_MORE = (words("of", "group"), words("source", "source"), words("source, or the reason", "why"))


def claims_section(answers: Answers) -> Section:
    """Show the published claims that apply to the run, and a table of all claims.

    Args:
        answers: Answers of the run's queries.
    """
    frame, columns = answers.claims, _columns(answers.labels)
    applicable = frame.filter(pl.col("verdict") != "not applicable")
    verdicts = listing(f"{number} {verdict}" for verdict, number in counted(frame))
    missing = () if applicable.height else (f"No published claim applies to this run: {_reasons(frame)}.",)
    shown = tuple(
        table(f"{group}{' (an article about the paper, no data seen)' if source == 'secondary' else ''}", rows, columns)
        for (group, source), rows in applicable.group_by(["group", "source"], maintain_order=True)
    )
    return Section(
        "claims",
        "Do the results agree with the published claims?",
        "Published for SDXL on MS-COCO captions; here for this run's model and prompts. A claim is confirmed or "
        "contradicted if the measured 95% interval lies on one side of 0 and n is at least 10. There is no correction "
        "for multiple claims.",
        (
            Figure(
                title=f"{applicable.height} of {len(published_claims())} published claims apply to this run",
                meaning=f"{verdicts}. A claim about a metric or a knob that this run lacks is not applicable.",
                panels=(),
                query="claims",
                n=f"n of each row; sources: {listing(_sources())}",
                shown=shown,
                tables=(table("All claims.", frame, (*columns, *_MORE)),),
                command=True,
            ),
        ),
        missing,
    )


def _sources() -> list[str]:
    return ["the paper (arXiv 2605.27476)", "an article about it"]


def _reasons(frame: pl.DataFrame) -> str:
    """List the commonest reasons why claims do not apply."""
    common = frame.group_by("why").len().sort("len", "why", descending=[True, False])["why"].head(3)
    return listing(common.to_list())
