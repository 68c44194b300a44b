"""The artifacts of a flow in the Prefect UI: a link to the report, its figures, and the numbers by cell."""

from functools import partial
from typing import Any

import polars as pl
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from skewbench.flows.server_loss import call_server
from skewbench.flows.serving.reports import report_url
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.summary import inert, summarise


def show(answers: Answers, report: str) -> None:
    """Create the artifacts of a run under its experiment's name, so that the UI shows their history over runs.

    Args:
        answers: The run, and the answers about it.
        report: Path or URL of its report.
    """
    call_server(partial(_create, answers, report))


def _create(answers: Answers, report: str) -> None:
    run, link = answers.run, report_url(report)
    create_link_artifact(
        link,
        link_text=f"report of {run.run_id}",
        key=f"{run.name}-report",
        description=f"On disk: {inert(report)}",
    )
    create_markdown_artifact(
        f"{summarise(answers)}\n[The report]({link})\n",
        key=f"{run.name}-summary",
        description=f"Results of {run.run_id}",
    )
    create_table_artifact(_rows(answers.curve), key=f"{run.name}-cells", description=f"Cells of {run.run_id}")


def _rows(curve: pl.DataFrame) -> list[dict[str, Any]]:
    """One row per cell, one column per metric: the mean with its interval."""
    rows: dict[str, dict[str, Any]] = {}
    for mean in curve.to_dicts():
        failed = mean["failed"] + mean["blank"] + mean["nonfinite"]
        row = rows.setdefault(mean["cell"], {"cell": mean["cell"], "samples": mean["samples"], "failed": failed})
        row[mean["metric"]] = _mean_text(mean["mean"], mean["low"], mean["high"])
    return list(rows.values())


def _mean_text(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None:
        return ""
    return f"{mean:.3g}" if low is None or high is None else f"{mean:.3g} [{low:.3g}, {high:.3g}]"
