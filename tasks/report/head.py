"""The page's head: what was run, on what, and what went wrong."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from skewbench import sql
from skewbench.eval.claims.verdict import LEAST
from skewbench.tasks.media import medium_of
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, numbers, words
from skewbench.tasks.report.numbers import count, percent, show
from skewbench.tasks.report.view import Column, Table, listing, table

_FACTS = """
    SELECT
        count(*) AS samples,
        count(DISTINCT prompt_id) AS prompts,
        count(DISTINCT seed) AS seeds,
        count(*) FILTER (status <> 'ok') AS failed,
        array_agg(DISTINCT model ORDER BY model) AS model,
        array_agg(DISTINCT revision ORDER BY revision) FILTER (revision IS NOT NULL) AS revision,
        array_agg(DISTINCT dtype ORDER BY dtype) AS dtype,
        array_agg(DISTINCT steps ORDER BY steps) AS steps,
        array_agg(DISTINCT guidance ORDER BY guidance) AS guidance,
        array_agg(DISTINCT concat_ws(
            ', ', width || ' × ' || height, frames || ' frames', fps || ' fps', duration || ' s', sampling_rate || ' Hz'
        )) AS size,
        array_agg(DISTINCT device ORDER BY device) FILTER (device IS NOT NULL) AS device,
        array_agg(DISTINCT torch_version ORDER BY torch_version) FILTER (torch_version IS NOT NULL) AS torch,
        array_agg(DISTINCT diffusers_version ORDER BY diffusers_version) FILTER (diffusers_version IS NOT NULL)
            AS diffusers,
        array_agg(DISTINCT skewbench_version ORDER BY skewbench_version) FILTER (skewbench_version IS NOT NULL)
            AS skewbench,
        avg(seconds) AS seconds
    FROM samples
"""

_UNSCORED = """
    WITH scored AS (
        SELECT metric, value, reason FROM scores
        UNION ALL SELECT metric, value, reason FROM group_scores
        UNION ALL SELECT metric, NULL, reason FROM missing_metrics
    ),
    unscored AS (
        SELECT metric, coalesce(mode(reason), 'no reason was given') AS reason
        FROM scored
        GROUP BY metric
        HAVING count(value) FILTER (isfinite(value)) = 0
    )
    SELECT reason, list(metric ORDER BY metric) FROM unscored GROUP BY reason ORDER BY min(metric)
"""


@dataclass(frozen=True)
class Head:
    """The head of the page. `notices`: warnings that readers must see before the figures."""

    name: str
    run_id: str
    status: str
    created: str
    description: str
    facts: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    unscored: tuple[tuple[str, str], ...]  # labels of metrics, and the reason that they share
    samples: int


_FAILURES = (
    CELL,
    words("status", "status"),
    numbers("samples", "samples", count),
    numbers("share", "share", percent),
    words("reason", "reason"),
)
_SPEED = (
    CELL,
    words("device", "device"),
    numbers("seconds per sample", "seconds", show),
    numbers("against baseline", "slowdown", lambda times: f"{times:.2f} ×"),
    numbers("peak memory, GB", "peak_memory", lambda size: f"{size / 1e9:.2f}"),
    numbers("n", "n", count),
)
_SHARED = numbers("computed for another cell", "shared_calls", percent)


def run_tables(answers: Answers) -> list[tuple[str, Table]]:
    """Make the tables of cells and their knobs, of failures and their reasons, and of speed.

    Args:
        answers: Answers of the run's queries.

    Returns:
        Headings and tables; tables without rows are left out.
    """
    knobs = pl.DataFrame({"cell": answers.cells, "settings": [answers.settings[cell] for cell in answers.cells]})
    tables = [("Cells", table("Each cell's knob.", knobs, (CELL, words("settings", "settings"))))]
    if answers.failures.height:
        caption = "Query failures: samples by status."
        tables.append(("Samples and failures", table(caption, answers.failures, _FAILURES)))
    if answers.speed.height:
        caption = "Query speed: seconds of a batch, divided by its size."
        columns: tuple[Column, ...] = _SPEED
        if (answers.speed["shared_calls"] > 0).any():
            caption = f"{caption} If another cell had computed some of the model's calls, they are scaled to all calls."
            columns = (*_SPEED, _SHARED)
        tables.append(("Speed", table(caption, answers.speed, columns)))
    return tables


def read_head(answers: Answers) -> Head:
    """Read the head of a run's page: its name, facts, notices and unscored metrics.

    Args:
        answers: Answers of the run's queries.
    """
    run = answers.run
    found = sql.select(answers.lake, _FACTS).to_dicts()[0]
    unscored = [
        (", ".join(map(answers.labels.of, metrics)), reason)
        for reason, metrics in sql.select(answers.lake, _UNSCORED).rows()
    ]
    return Head(
        name=run.name,
        run_id=run.run_id,
        status=run.status,
        created=run.created,
        description=str(run.experiment.get("description") or ""),
        facts=tuple((name, text) for name, text in _facts(answers, found) if text),
        notices=tuple(_notices(answers, found)),
        unscored=tuple(unscored),
        samples=found["samples"],
    )


def _facts(answers: Answers, found: dict[str, Any]) -> list[tuple[str, str]]:
    run = answers.run
    revision = [text[:12] for text in found["revision"] or []]
    versions = [f"{name} {_all(found[name])}" for name in ("skewbench", "torch", "diffusers") if found[name]]
    return [
        ("model", _all(found["model"])),
        ("revision", _all(revision)),
        ("samples", f"{count(found['samples'])} of {count(answers.run.samples)} planned"),
        ("prompts × seeds", f"{count(found['prompts'])} × {count(found['seeds'])}"),
        ("cells", count(len(answers.cells))),
        ("steps, guidance", f"{_all(found['steps'])}, {_all(found['guidance'])}" if found["steps"] else ""),
        (medium_of(run), _all(found["size"])),
        ("precision", _all(found["dtype"])),
        ("device", _all(found["device"])),
        ("seconds per sample", "" if found["seconds"] is None else show(found["seconds"])),
        ("versions", ", ".join(versions)),
        ("started", answers.run.created.replace("T", " ").replace("+00:00", " UTC")),
    ]


def _notices(answers: Answers, found: dict[str, Any]) -> list[str]:
    run = answers.run
    notices = []
    if run.status != "committed":
        what = "is still running" if run.status == "running" else "is incomplete"
        notices.append(
            f"This run {what}: {count(found['samples'])} of {count(run.samples)} samples are finished. Everything "
            "below covers these samples only, and may change. `skewbench run EXPERIMENT` resumes the run."
        )
    if found["prompts"] < LEAST:
        notices.append(f"This run has {count(found['prompts'])} prompts. Findings and verdicts need at least {LEAST}.")
    notices += [f"Cell {shortfall['cell']}: {shortfall['reason']}." for shortfall in run.shortfalls]
    if run.failed_jobs:
        first = run.failed_jobs[0]
        jobs = "1 job" if len(run.failed_jobs) == 1 else f"{count(len(run.failed_jobs))} jobs"
        notices.append(f"{jobs} failed. The first, {first.job}: {first.error}")
    if found["failed"]:
        failed = pl.col("samples").filter(pl.col("status") != "ok").sum().alias("failed")
        by_cell = answers.failures.group_by("cell", maintain_order=True).agg(failed, pl.col("samples").sum())
        rows = by_cell.filter(pl.col("failed") > 0).to_dicts()
        cells = listing(f"{row['cell']} {count(row['failed'])} of {count(row['samples'])}" for row in rows)
        notices.append(
            f"{count(found['failed'])} samples failed ({cells}). No mean includes them; the worst case next to each "
            "mean does."
        )
    return notices


def _all(values: list[Any] | None) -> str:
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values or [])
