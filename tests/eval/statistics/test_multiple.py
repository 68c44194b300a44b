"""Tests from intervals."""

import numpy as np
import pytest
from scipy import stats

from skewbench.eval.statistics import p_of_interval


def test_it_is_the_t_test_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, 20)
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(20)
    half = stats.norm.ppf(0.975) * error
    assert p_of_interval(mean, mean - half, mean + half, 20) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert p_of_interval(-mean, -mean - half, -mean + half, 20) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


@pytest.mark.parametrize(("low", "high"), [(-0.1, 3.0), (0.1, 3.0), (-5.0, 1.1), (1.0, 1.0), (1.2, 1.4), (-2.0, -1.0)])
def test_what_is_below_the_level_has_an_interval_without_zero(low: float, high: float) -> None:
    assert (p_of_interval(1.0, low, high, 10_000) < 0.05) == (0 < low < 1)
    assert p_of_interval(1.0, low, high, 3) >= p_of_interval(1.0, low, high, 10_000)
