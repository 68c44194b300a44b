"""The answers of a run with their bootstrap intervals, for the table `analysis`.

Values and n are those of the named queries, so that SQL and report show the same numbers. What is here is their spread
over resamples of whole prompts, the same resamples for all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

import sql
from eval.statistics import interval, mean_draws, resample, spearman_draws, worst_draws
from sql.schemas import ANALYSIS

MEASURES = ("neg_energy", "instability", "alignment", "symmetry")
FRACTION = 0.2  # the default of the query worst_fraction

Values = npt.NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Resamples:
    """The prompts of the run, and how often each is drawn in each resample."""

    prompts: dict[str, int]
    counts: npt.NDArray[np.int32]

    def clusters(self, wide: pl.DataFrame) -> npt.NDArray[np.integer]:
        """The prompt of each row, as its column of `counts`."""
        return np.array([self.prompts[prompt] for prompt in wide["prompt_id"]], dtype=np.intp)


def analyse(connection: duckdb.DuckDBPyConnection, run_id: str, resamples: int = 1000, seed: int = 0) -> pa.Table:
    """The rows of `analysis` for one run: correlations, operating_curve, regimes and worst_fraction at their defaults.

    Correlations are those of every cell. In worst_fraction's rows `measure` is the metric that chose. The measures are
    those of the connection's branch, which the rows name. The table is empty for a run without samples.

    Args:
        connection: of `sql.connect`, with the run among its runs.

    Raises:
        ValueError: a run that the connection does not show, or fewer than one resample.
    """
    shown = [row[0] for row in connection.execute("SELECT run_id FROM runs ORDER BY 1").fetchall()]
    if run_id not in shown:
        raise ValueError(f"run {run_id!r} is not among those of the connection: {', '.join(shown)}")
    prompts = _rows(connection, "SELECT DISTINCT prompt_id FROM samples WHERE run_id = $1 ORDER BY 1", run_id)
    if prompts.is_empty():
        return ANALYSIS.empty_table()
    names = {prompt: index for index, prompt in enumerate(prompts["prompt_id"])}
    drawn = Resamples(names, resample(len(names), resamples, seed))
    branch = _rows(connection, "SELECT getvariable('branch')::VARCHAR AS branch WHERE $1 IS NOT NULL", run_id).item()
    method = f"bootstrap clustered by prompt, {resamples} resamples, 95%"
    rows = [
        row | {"branch": branch, "method": method}
        for answers in (_correlations, _operating_curve, _regimes, _worst_fraction)
        for row in answers(connection, run_id, drawn)
    ]
    return pa.Table.from_pylist(rows, ANALYSIS)


def _correlations(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = _query(connection, "correlations", run_id, cell="*")
    stability = _rows(
        connection,
        """
        SELECT cell, prompt_id, sample_id AS unit, stage, -energy AS neg_energy, instability, alignment, symmetry
        FROM stage_stability SEMI JOIN (SELECT sample_id FROM samples WHERE status = 'ok') USING (sample_id)
        WHERE run_id = $1
        """,
        run_id,
    )
    long = stability.unpivot(on=MEASURES, index=["cell", "prompt_id", "unit", "stage"], variable_name="measure")
    long = long.filter(pl.col("value").is_finite()).with_columns(key=pl.concat_str("stage", "measure", separator=" "))
    by_prompt = long.group_by("cell", "prompt_id", pl.col("prompt_id").alias("unit"), "key").agg(pl.col("value").mean())
    for kind, measures in (("sample", long), ("prompt", by_prompt)):
        values = _values(connection, run_id, kind)
        for cell, some in _by(answers.filter(kind=kind), "cell"):
            keys = sorted(some.select(pl.concat_str("stage", "measure", separator=" ")).to_series().unique())
            metrics = sorted(some["metric"].unique())
            x = _wide(measures.filter(cell=cell), "key")
            joined = x.join(_wide(values.filter(cell=cell), "metric"), on=["prompt_id", "unit"], how="inner")
            draws = spearman_draws(
                _matrix(joined, keys), _matrix(joined, metrics), drawn.clusters(joined), drawn.counts
            )
            for row in some.iter_rows(named=True):
                draw = draws[:, keys.index(f"{row['stage']} {row['measure']}"), metrics.index(row["metric"])]
                yield _row("correlations", "rho", row, draw)


def _operating_curve(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = _query(connection, "operating_curve", run_id).filter(pl.col("n") > 0)
    for kind in ("sample", "prompt"):
        values = _values(connection, run_id, kind)
        for cell, some in _by(answers.filter(kind=kind), "cell"):
            wide = _wide(values.filter(cell=cell), "metric")
            metrics = list(some["metric"])
            draws = mean_draws(_matrix(wide, metrics), drawn.clusters(wide), drawn.counts)
            for row, draw in zip(some.iter_rows(named=True), draws.T, strict=True):
                yield _row("operating_curve", "mean", row, draw)


def _regimes(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = _query(connection, "regimes", run_id)
    changes = _rows(
        connection,
        """
        WITH changes AS (
            SELECT 'sample' AS kind, run_id, cell, prompt_id, pair_id AS unit, metric, change FROM paired
            UNION ALL
            SELECT 'prompt', run_id, cell, prompt_id, prompt_id, metric, change FROM prompt_paired
        )
        SELECT kind, cell, prompt_id, unit, metric || ' ' || regime AS key, change AS value
        FROM changes JOIN baseline_regimes USING (run_id, kind, unit)
        WHERE run_id = $1 AND change IS NOT NULL AND regime IS NOT NULL
        """,
        run_id,
    )
    for kind in ("sample", "prompt"):
        for cell, some in _by(answers.filter(kind=kind), "cell"):
            wide = _wide(changes.filter(kind=kind, cell=cell), "key")
            keys = [name for name in wide.columns if name not in ("prompt_id", "unit")]
            drawn_means = mean_draws(_matrix(wide, keys), drawn.clusters(wide), drawn.counts)
            draws = dict(zip(keys, drawn_means.T, strict=True))
            for row in some.iter_rows(named=True):
                metric, regime = row["metric"], row["regime"]
                if regime == "difference":
                    yield _row("regimes", "change", row, draws[f"{metric} unstable"] - draws[f"{metric} stable"])
                else:
                    yield _row("regimes", "change", row, draws[f"{metric} {regime}"])


def _worst_fraction(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = _query(connection, "worst_fraction", run_id, fraction=FRACTION)
    pairs = _rows(
        connection,
        """
        SELECT cell, prompt_id, pair_id AS unit, metric, change,
            CASE WHEN higher_is_better THEN baseline ELSE -baseline END AS baseline,
            CASE WHEN higher_is_better THEN p.value ELSE -p.value END AS knob
        FROM paired AS p JOIN metrics USING (run_id, metric)
        WHERE run_id = $1 AND kind = 'sample' AND change IS NOT NULL
        """,
        run_id,
    )
    for cell, some in _by(answers, "cell"):
        metrics = sorted(some["metric"].unique())
        here = pairs.filter(cell=cell).sort("unit")
        wide = _wide(here, "metric", "change")
        baseline, knob = (_matrix(_wide(here, "metric", column), metrics) for column in ("baseline", "knob"))
        change, clusters = _matrix(wide, metrics), drawn.clusters(wide)
        worst, best, knob_worst = (
            worst_draws(chosen, change, clusters, drawn.counts, FRACTION) for chosen in (baseline, -baseline, knob)
        )
        draws = {"worst": worst, "best": best, "swap": (worst + knob_worst) / 2}
        for row in some.iter_rows(named=True):
            draw = draws[row["regime"]][:, metrics.index(row["chosen_by"]), metrics.index(row["metric"])]
            yield _row("worst_fraction", "change", row | {"measure": row["chosen_by"]}, draw)


def _row(query: str, statistic: str, row: Row, draws: Values) -> Row:
    """A row of `analysis` from a row of the query and the draws of its value."""
    key = {name: row.get(name) for name in ("cell", "metric", "stage", "measure", "regime")}
    value = row[statistic]
    spread = interval(draws)
    finite = value is not None and np.isfinite(spread.low)
    return key | {
        "query": query,
        "statistic": statistic,
        "value": value,
        "low": spread.low if finite else None,
        "high": spread.high if finite else None,
        "n": row["n"],
    }


def _values(connection: duckdb.DuckDBPyConnection, run_id: str, kind: str) -> pl.DataFrame:
    """The finite values of the metrics of a kind: cell, prompt_id, unit, metric, value."""
    if kind == "sample":
        text = """
            SELECT cell, prompt_id, sample_id AS unit, metric, value FROM metric_values
            WHERE run_id = $1 AND status = 'ok' AND isfinite(value)
        """
    else:
        text = """
            SELECT cell, prompt_id, prompt_id AS unit, metric, value FROM prompt_metric_values
            WHERE run_id = $1 AND isfinite(value)
        """
    return _rows(connection, text, run_id)


def _query(connection: duckdb.DuckDBPyConnection, name: str, run_id: str, **parameters: str | float) -> pl.DataFrame:
    return sql.query(connection, name, **parameters).filter(run_id=run_id)


def _rows(connection: duckdb.DuckDBPyConnection, text: str, run_id: str) -> pl.DataFrame:
    return connection.execute(text, [run_id]).pl()


def _by(frame: pl.DataFrame, column: str) -> Iterator[tuple[str, pl.DataFrame]]:
    for (name,), some in frame.group_by([column], maintain_order=True):
        yield str(name), some


def _wide(long: pl.DataFrame, on: str, values: str = "value") -> pl.DataFrame:
    """A row a unit, a column each value of `on`."""
    return long.pivot(on=on, index=["prompt_id", "unit"], values=values).sort("unit")


def _matrix(wide: pl.DataFrame, columns: list[str]) -> Values:
    """(units, columns); NaN where there is no value."""
    return wide.select(pl.col(columns).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
