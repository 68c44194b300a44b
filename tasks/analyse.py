"""The answers of a run with their bootstrap intervals, for the table `analysis`.

Values and n are those of the named queries, so that SQL and report show the same numbers. Each query that declares an
interval gives the draws of its values over resamples of whole prompts, the same resamples for all.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from skewbench import sql
from skewbench.eval.statistics import interval, resample
from skewbench.sql.registry import is_ours
from skewbench.sql.resampling import Draws, Resamples, select_rows
from skewbench.storage.tables.analysis import ANALYSIS

_KEY = ("cell", "metric", "stage", "measure", "regime")


def analyse(connection: duckdb.DuckDBPyConnection, run_id: str, resamples: int = 1000, seed: int = 0) -> pa.Table:
    """The rows of `analysis` for one run: the named queries that declare an interval, at their defaults.

    Measures are those of the connection's branch; rows name the branch if their values depend on it. If a query of
    another package fails, its intervals are left out with a warning.

    Args:
        connection: A connection of `skewbench.sql.connect` that includes the run.
        run_id: The run.
        resamples: Number of bootstrap resamples of the prompts.
        seed: Seed of the resamples.

    Returns:
        A table with the schema `ANALYSIS`, empty for a run without samples.

    Raises:
        ValueError: The connection does not include the run, or fewer than one resample.
    """
    shown = [row[0] for row in connection.execute("SELECT run_id FROM runs ORDER BY 1").fetchall()]
    if run_id not in shown:
        raise ValueError(f"run {run_id!r} is not among those of the connection: {', '.join(shown)}")
    prompts = select_rows(connection, "SELECT DISTINCT prompt_id FROM samples WHERE run_id = $1 ORDER BY 1", run_id)
    if prompts.is_empty():
        return ANALYSIS.schema.empty_table()
    names = {prompt: index for index, prompt in enumerate(prompts["prompt_id"])}
    drawn = Resamples(names, resample(len(names), resamples, seed))
    (about,) = select_rows(
        connection, "SELECT getvariable('branch')::VARCHAR AS branch, parts_digest FROM runs WHERE run_id = $1", run_id
    ).to_dicts()
    about["method"] = f"bootstrap clustered by prompt, {resamples} resamples, 95%"
    queries = [query for query in sql.named_queries() if query.interval]
    return pa.concat_tables([_rows(query, connection, run_id, drawn, about) for query in queries])


def _rows(
    query: sql.Query, connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples, about: dict[str, Any]
) -> pa.Table:
    """The rows of one query."""
    by_branch = any(parameter.kind == "branch" for parameter in query.parameters)
    try:
        draws: Iterator[Draws] = query.load(query.interval)(connection, run_id, drawn)
        rows = [
            {"query": query.name} | about | _row(one) | ({} if by_branch and not one.any_branch else _OF_ANY_BRANCH)
            for one in draws
        ]
        return ANALYSIS.of_rows(rows)
    except Exception as error:
        if is_ours(query):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        warnings.warn(f"query {query.name!r} of {query.package} has no intervals: {reason}", stacklevel=3)
        return ANALYSIS.schema.empty_table()


_OF_ANY_BRANCH = {"branch": "*"}
"""Value of the column `branch` for values that do not depend on it."""


def _row(draws: Draws) -> dict[str, Any]:
    spread = interval(draws.draws)
    finite = draws.value is not None and np.isfinite(spread.low)
    return {name: draws.row.get(name) for name in _KEY} | {
        "statistic": draws.statistic,
        "value": draws.value,
        "low": spread.low if finite else None,
        "high": spread.high if finite else None,
        "n": draws.row["n"],
    }
