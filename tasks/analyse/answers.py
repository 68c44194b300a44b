"""The answers of a run with their bootstrap intervals, for the table `analysis`.

Values and n are those of the named queries, so that SQL and report show the same numbers. What is here is their spread
over resamples of whole prompts, the same resamples for all.
"""

from collections.abc import Iterator
from itertools import combinations

import duckdb
import polars as pl
import pyarrow as pa

from skewbench.eval.statistics import mean_draws, resample, spearman_draws, worst_draws
from skewbench.storage.schemas import ANALYSIS, table_of_rows
from skewbench.tasks.analyse.effects import adaptive_vs_static, pareto_front, static_effect
from skewbench.tasks.analyse.frames import (
    Resamples,
    Row,
    Values,
    answer,
    as_matrix,
    query_run,
    select_rows,
    split,
    variable,
    widen,
)

MEASURES = ("neg_energy", "instability", "alignment", "symmetry")
FRACTION = 0.2  # the default of the query worst_fraction
REGIMES = ("alignment", "neg_energy", "instability")  # the measures that the query regimes splits by


def analyse(connection: duckdb.DuckDBPyConnection, run_id: str, resamples: int = 1000, seed: int = 0) -> pa.Table:
    """The rows of `analysis` for one run: the named queries that have intervals, at their defaults.

    Correlations are those of every cell, with the differences between stages (statistic `difference`, stage
    `up - down`); regimes those by each measure. In worst_fraction's rows `measure` is the metric that chose. The
    measures are those of the connection's branch, which the rows name. The table is empty for a run without samples.

    Args:
        connection: of `skewbench.sql.connect`, with the run among its runs.

    Raises:
        ValueError: a run that the connection does not show, or fewer than one resample.
    """
    shown = [row[0] for row in connection.execute("SELECT run_id FROM runs ORDER BY 1").fetchall()]
    if run_id not in shown:
        raise ValueError(f"run {run_id!r} is not among those of the connection: {', '.join(shown)}")
    prompts = select_rows(connection, "SELECT DISTINCT prompt_id FROM samples WHERE run_id = $1 ORDER BY 1", run_id)
    if prompts.is_empty():
        return ANALYSIS.empty_table()
    names = {prompt: index for index, prompt in enumerate(prompts["prompt_id"])}
    drawn = Resamples(names, resample(len(names), resamples, seed))
    branch = select_rows(
        connection, "SELECT getvariable('branch')::VARCHAR AS branch WHERE $1 IS NOT NULL", run_id
    ).item()
    digest = select_rows(connection, "SELECT parts_digest FROM runs WHERE run_id = $1", run_id).item()
    method = f"bootstrap clustered by prompt, {resamples} resamples, 95%"
    rows = [
        row | {"branch": branch, "method": method, "parts_digest": digest}
        for answers in (*_ANSWERS, static_effect, adaptive_vs_static, pareto_front)
        for row in answers(connection, run_id, drawn)
    ]
    return table_of_rows(rows, ANALYSIS)


def _correlations(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = query_run(connection, "correlations", run_id, cell="*")
    stability = select_rows(
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
        for cell, some in split(answers.filter(kind=kind), "cell"):
            keys = sorted(some.select(pl.concat_str("stage", "measure", separator=" ")).to_series().unique())
            metrics = sorted(some["metric"].unique())
            x = widen(measures.filter(cell=cell), "key")
            joined = x.join(widen(values.filter(cell=cell), "metric"), on=["prompt_id", "unit"], how="inner")
            draws = spearman_draws(
                as_matrix(joined, keys), as_matrix(joined, metrics), drawn.clusters(joined), drawn.counts
            )
            for row in some.iter_rows(named=True):
                draw = draws[:, keys.index(f"{row['stage']} {row['measure']}"), metrics.index(row["metric"])]
                yield answer("correlations", "rho", row, draw)
            for (_, _), stages in some.group_by(["metric", "measure"], maintain_order=True):
                for one, other in combinations(stages.filter(pl.col("stage") != "all").to_dicts(), 2):
                    metric = metrics.index(one["metric"])
                    first, second = (keys.index(f"{row['stage']} {row['measure']}") for row in (one, other))
                    yield _difference(one, other, draws[:, second, metric] - draws[:, first, metric])


def _difference(one: Row, other: Row, draws: Values) -> Row:
    """How much stronger the later stage's correlation is, with its sign."""
    known = one["rho"] is not None and other["rho"] is not None
    row = one | {"stage": f"{other['stage']} - {one['stage']}", "n": min(one["n"], other["n"])}
    return answer(
        "correlations", "difference", row | {"difference": other["rho"] - one["rho"] if known else None}, draws
    )


def _operating_curve(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = query_run(connection, "operating_curve", run_id).filter(pl.col("n") > 0)
    for kind in ("sample", "prompt"):
        values = _values(connection, run_id, kind)
        for cell, some in split(answers.filter(kind=kind), "cell"):
            wide = widen(values.filter(cell=cell), "metric")
            metrics = list(some["metric"])
            draws = mean_draws(as_matrix(wide, metrics), drawn.clusters(wide), drawn.counts)
            for row, draw in zip(some.iter_rows(named=True), draws.T, strict=True):
                yield answer("operating_curve", "mean", row, draw)


def _regimes(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    for measure in REGIMES:
        with variable(connection, "measure", measure):
            yield from _regimes_by(connection, run_id, drawn)


def _regimes_by(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = query_run(connection, "regimes", run_id).filter(pl.col("change").is_not_null())
    changes = select_rows(
        connection,
        """
        SELECT kind, cell, prompt_id, unit, metric || ' ' || regime AS key, change AS value
        FROM unit_changes JOIN baseline_regimes USING (run_id, kind, unit)
        WHERE run_id = $1 AND change IS NOT NULL AND regime IS NOT NULL
        """,
        run_id,
    )
    for kind in ("sample", "prompt"):
        for cell, some in split(answers.filter(kind=kind), "cell"):
            wide = widen(changes.filter(kind=kind, cell=cell), "key")
            keys = [name for name in wide.columns if name not in ("prompt_id", "unit")]
            drawn_means = mean_draws(as_matrix(wide, keys), drawn.clusters(wide), drawn.counts)
            draws = dict(zip(keys, drawn_means.T, strict=True))
            for row in some.iter_rows(named=True):
                metric, regime = row["metric"], row["regime"]
                if regime == "difference":
                    yield answer("regimes", "change", row, draws[f"{metric} unstable"] - draws[f"{metric} stable"])
                else:
                    yield answer("regimes", "change", row, draws[f"{metric} {regime}"])


def _worst_fraction(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Row]:
    answers = query_run(connection, "worst_fraction", run_id, fraction=FRACTION)
    pairs = select_rows(
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
    for cell, some in split(answers, "cell"):
        metrics = sorted(some["metric"].unique())
        here = pairs.filter(cell=cell).sort("unit")
        wide = widen(here, "metric", "change")
        baseline, knob = (as_matrix(widen(here, "metric", column), metrics) for column in ("baseline", "knob"))
        change, clusters = as_matrix(wide, metrics), drawn.clusters(wide)
        worst, best, knob_worst = (
            worst_draws(chosen, change, clusters, drawn.counts, FRACTION) for chosen in (baseline, -baseline, knob)
        )
        draws = {"worst": worst, "best": best, "swap": (worst + knob_worst) / 2}
        for row in some.iter_rows(named=True):
            draw = draws[row["regime"]][:, metrics.index(row["chosen_by"]), metrics.index(row["metric"])]
            yield answer("worst_fraction", "change", row | {"measure": row["chosen_by"]}, draw)


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
    return select_rows(connection, text, run_id)


_ANSWERS = (_correlations, _operating_curve, _regimes, _worst_fraction)
