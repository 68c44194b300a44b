"""Draws of the change on the worst and best share over resamples of whole prompts, with a new selection in each."""

from collections.abc import Iterator

import duckdb

from skewbench.eval.statistics import worst_draws
from skewbench.sql.resampling import Draws, Resamples, as_matrix, query_run, select_rows, split, widen

FRACTION = 0.2
"""The default of the query's parameter."""


def intervals(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    """Yield the draws of the change on each share; the metric that chose the images is the row's `measure`.

    Args:
        connection: A connection to the lake's views.
        run_id: The run.
        drawn: Resamples of the run's prompts.
    """
    answers = query_run(connection, "worst_fraction", run_id, fraction=FRACTION)
    for cell, some in split(answers, "cell"):  # cell by cell, so that more cells need no more memory
        pairs = select_rows(
            connection,
            """
            SELECT prompt_id, unit, metric, change,
                CASE WHEN higher_is_better THEN baseline ELSE -baseline END AS baseline,
                CASE WHEN higher_is_better THEN c.value ELSE -c.value END AS knob
            FROM unit_changes AS c JOIN metrics USING (run_id, metric, kind)
            WHERE run_id = $1 AND cell = $2 AND kind = 'sample' AND change IS NOT NULL
            """,
            run_id,
            cell,
        )
        metrics = sorted(some["metric"].unique())
        wide = widen(pairs, "metric", "change")
        baseline, knob = (as_matrix(widen(pairs, "metric", column), metrics) for column in ("baseline", "knob"))
        change, clusters = as_matrix(wide, metrics), drawn.clusters(wide)
        worst, best, knob_worst = (
            worst_draws(chosen, change, clusters, drawn.counts, FRACTION) for chosen in (baseline, -baseline, knob)
        )
        draws = {"worst": worst, "best": best, "swap": (worst + knob_worst) / 2}
        for row in some.iter_rows(named=True):
            draw = draws[row["regime"]][:, metrics.index(row["chosen_by"]), metrics.index(row["metric"])]
            yield Draws("change", row | {"measure": row["chosen_by"]}, row["change"], draw)
