"""Tables from the manifests of runs: runs, cells, metrics and missing metrics."""

import json
from collections.abc import Iterable
from typing import Any

from skewbench.sql.cells import read_cell
from skewbench.sql.literals import literal
from skewbench.sql.manifests import Run

_CELL_COLUMNS = (
    "run_id",
    "cell",
    "position DOUBLE",
    "baseline BOOLEAN",
    "knob",
    "settings",  # JSON: the knob's fields, defaults included
    "generation",  # JSON; NULL in runs of version 5 and before
    "overrides",  # JSON: the cell's overrides of the experiment's generation
    "words",
    "family",
    "strengths",  # JSON: name, symbol, plain, value
)


def declared_tables(runs: list[Run]) -> list[str]:
    """Write the declarations of manifests as SQL: the tables `runs`, `cells`, `missing_metrics` and those of metrics.

    Args:
        runs: The runs that a session shows.
    """
    missing = (row for run in runs for row in _missing_rows(run))
    return [
        table_with_rows(
            "runs", ("run_id", "name", "status", "created", "baseline", "parts_digest"), map(_run_row, runs)
        ),
        table_with_rows("cells", _CELL_COLUMNS, (row for run in runs for row in _cell_rows(run))),
        table_with_rows("missing_metrics", ("run_id", "metric", "reason"), missing),
        *_declarations(runs),
    ]


def _run_row(run: Run) -> tuple[str | None, ...]:
    return (run.run_id, run.name, run.status, run.created, run.baseline, run.parts_digest)


def _cell_rows(run: Run) -> list[tuple[Any, ...]]:
    return [
        (
            run.run_id,
            cell.name,
            position,
            cell.name == run.baseline,
            cell.kind,
            json.dumps(cell.settings),
            None if cell.generation is None else json.dumps(cell.generation),
            json.dumps(cell.overrides, sort_keys=True),
            cell.words,
            cell.family,
            json.dumps(cell.strengths),
        )
        for position, cell in enumerate(map(read_cell, run.cells))
    ]


def _missing_rows(run: Run) -> list[tuple[str, ...]]:
    return [(run.run_id, missing["metric"], missing["reason"]) for missing in run.missing_metrics]


_DECLARED = {"name": "metric", "label": "label", "meaning": "meaning", "better": "better"} | {
    "low": "low DOUBLE", "high": "high DOUBLE", "grows_with_n": "grows_with_n BOOLEAN", "rank": "rank INTEGER",
    "may_be_absent": "may_be_absent BOOLEAN", "scorer": "scorer", "version": "version INTEGER", "unit": "unit",
    "medium": "medium",
}  # fmt: skip
"""Fields of a declaration in a manifest, and their columns."""


def _declarations(runs: list[Run]) -> list[str]:
    """Tables of the metrics that the manifests declare: equal declarations once, and which ones each run has."""
    distinct: dict[str, int] = {}
    number = {run.run_id: distinct.setdefault(json.dumps(run.metrics), len(distinct)) for run in runs}
    rows = (
        (number, *(metric.get(field) for field in _DECLARED))
        for declared, number in distinct.items()
        for metric in json.loads(declared)
    )
    return [
        table_with_rows("declared_metrics", ("declarations INTEGER", *_DECLARED.values()), rows),
        table_with_rows("run_declarations", ("run_id", "declarations INTEGER"), number.items()),
    ]


def table_with_rows(name: str, names: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> str:
    """Write a table and its rows as SQL.

    Args:
        name: Name of the table.
        names: Its columns; one without a type is a VARCHAR.
        rows: Values for `literal`, in the columns' order.
    """
    declared = ", ".join(column if " " in column else f"{column} VARCHAR" for column in names)
    values = ",\n    ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
    insert = f"\nINSERT INTO {name} VALUES\n    {values};" if values else ""
    return f"CREATE OR REPLACE TABLE {name} ({declared});{insert}"
