"""What is asked of metrics, by what is known of them."""

import duckdb
import numpy as np
import pytest

from skewbench.tasks.experiment import MarginSpec, NightlySpec
from skewbench.tasks.regressions.asked import margins


@pytest.mark.parametrize(
    ("metric", "better"),
    [("aesthetic", "higher"), ("fid", "lower"), ("sharpness", None), ("contrast", "higher"), ("energy", None)],
)
def test_which_side_is_better(metric: str, better: str | None) -> None:
    """NULL is neither; what the experiment says comes first."""
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE metrics AS FROM (VALUES ('aesthetic', true), ('fid', false), ('sharpness', NULL), "
        "('contrast', NULL)) AS known (metric, higher_is_better)"
    )
    spec = NightlySpec(margins=(MarginSpec(metric="contrast", margin=0.1, better="higher"),))
    assert margins(connection, spec)("sample", metric, np.ones(3)).better == better
    given = MarginSpec(metric=metric, margin=0.1, better="higher" if metric == "contrast" else None)
    named = margins(connection, NightlySpec(margins=(given,)))("sample", metric, np.ones(3))
    assert (named.better, named.required) == (better, True)
