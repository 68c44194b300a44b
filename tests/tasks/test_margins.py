"""What is asked of metrics, by what is known of them."""

import duckdb
import numpy as np
import pytest

from skewbench.tasks.experiment import MarginSpec, NightlySpec
from skewbench.tasks.regressions.margins import margins


@pytest.mark.parametrize(
    ("metric", "better"),
    [("aesthetic", "higher"), ("fid", "lower"), ("sharpness", None), ("contrast", "higher"), ("energy", None)],
)
def test_which_side_is_better(metric: str, better: str | None) -> None:
    """The newest run's side counts; what the experiment says comes first."""
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE metrics AS FROM (VALUES ('new', 'aesthetic', 'higher'), ('new', 'fid', 'lower'), "
        "('new', 'sharpness', 'neither'), ('new', 'contrast', 'neither'), ('old', 'fid', 'higher')) "
        "AS known (run_id, metric, better)"
    )
    connection.execute("CREATE TABLE runs AS FROM (VALUES ('new', 2), ('old', 1)) AS known (run_id, created)")
    spec = NightlySpec(margins=(MarginSpec(metric="contrast", margin=0.1, better="higher"),))
    assert margins(connection, spec)("sample", metric, np.ones(3)).better == better
    given = MarginSpec(metric=metric, margin=0.1, better="higher" if metric == "contrast" else None)
    named = margins(connection, NightlySpec(margins=(given,)))("sample", metric, np.ones(3))
    assert (named.better, named.required) == (better, True)
