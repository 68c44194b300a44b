"""Draws of the shares over resamples of whole prompts."""

from skewbench.eval.statistics import mean_draws
from skewbench.sql.resampling import Draws, as_matrix, query_run, select_rows, widen


def intervals(connection, run_id, drawn):
    """The share of each cell; the median is the run's own in each resample."""
    answer = query_run(connection, "above_median", run_id)
    if answer.is_empty():
        return
    values = select_rows(
        connection,
        """
        SELECT v.cell, v.unit, v.prompt_id, v.metric,
            (v.value > median(v.value) OVER (PARTITION BY v.metric))::DOUBLE AS value
        FROM unit_values AS v WHERE v.run_id = $1 AND v.kind = 'sample'
        """,
        run_id,
    ).filter(metric=answer["metric"][0])
    wide = widen(values, "cell")
    draws = mean_draws(as_matrix(wide, answer["cell"].to_list()), drawn.clusters(wide), drawn.counts)
    for column, row in enumerate(answer.to_dicts()):
        yield Draws("share", row, row["share"], draws[:, column])
