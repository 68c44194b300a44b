"""Draws of the difference between adaptive and static cells over resamples of whole prompts."""

from collections.abc import Iterator

import duckdb

from skewbench.eval.statistics import mean_draws
from skewbench.sql.resampling import Draws, Resamples, as_matrix, query_run, select_rows, widen


def intervals(connection: duckdb.DuckDBPyConnection, run_id: str, drawn: Resamples) -> Iterator[Draws]:
    """Yield the draws of adaptive minus static; the static cell is the row's `regime`.

    Args:
        connection: A connection to the lake's views.
        run_id: The run.
        drawn: Resamples of the run's prompts.
    """
    answers = query_run(connection, "adaptive_vs_static", run_id)
    pairs = select_rows(
        connection,
        "SELECT cell, static_cell, kind, prompt_id, unit, metric, change FROM adaptive_pairs WHERE run_id = $1",
        run_id,
    )
    for (cell, static, kind), some in answers.group_by(["cell", "static_cell", "kind"], maintain_order=True):
        wide = widen(pairs.filter(cell=cell, static_cell=static, kind=kind), "metric", "change")
        draws = mean_draws(as_matrix(wide, some["metric"].to_list()), drawn.clusters(wide), drawn.counts)
        for column, row in enumerate(some.to_dicts()):
            free = row["metric"] != "alignment"
            yield Draws("change", row | {"regime": static}, row["change"], draws[:, column], any_branch=free)
