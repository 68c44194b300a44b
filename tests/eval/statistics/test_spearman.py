import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from skewbench.eval.statistics import interval, resample, spearman, spearman_draws
from skewbench.eval.statistics.weighted_ranks import SortedColumn

VALUES = st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4))), min_size=3, max_size=40)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_equal_to_scipy_with_ties_and_nulls(pairs: list[tuple[int, int | None]]) -> None:
    x = np.array([a for a, _ in pairs], float)
    y = np.array([np.nan if b is None else b for _, b in pairs], float)
    both = np.isfinite(y)
    ours = spearman(x, y)
    assert ours.n == both.sum()
    if ours.n < 2 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        assert np.isnan(ours.rho)
    else:
        assert ours.rho == pytest.approx(stats.spearmanr(x[both], y[both]).statistic, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
@settings(max_examples=100, deadline=None)
def test_weighted_places_are_the_ranks_of_the_repeated_rows(rows: list[tuple[int, int]]) -> None:
    values = np.array([value for value, _ in rows], float)
    weights = np.array([weight for _, weight in rows])
    (ranks,) = (SortedColumn(values, np.arange(len(rows))).ranks(weights[None]) + 1) / 2
    assert np.repeat(ranks, weights) == pytest.approx(stats.rankdata(np.repeat(values, weights)))


def test_draws_are_spearman_of_the_repeated_rows_with_holes_of_each_pair() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(15), 4)
    x = rng.integers(0, 6, (60, 3)).astype(float)
    y = x[:, :2] + rng.integers(0, 4, (60, 2))
    x[rng.random(x.shape) < 0.1] = np.nan
    y[:5, 0] = np.inf
    counts = resample(15, 20, seed=2)
    draws = spearman_draws(x, y, clusters, counts)
    for draw, count in zip(draws, counts, strict=True):
        again = np.repeat(np.arange(60), count[clusters])
        for i in range(3):
            for j in range(2):
                a, b = x[again, i], y[again, j]
                both = np.isfinite(a) & np.isfinite(b)
                assert draw[i, j] == pytest.approx(stats.spearmanr(a[both], b[both]).statistic, abs=1e-12)


def test_a_constant_or_empty_column_has_no_draws() -> None:
    x = np.stack([np.ones(12), np.full(12, np.nan)], axis=1)
    draws = spearman_draws(x, np.arange(12.0)[:, None], np.arange(12), resample(12, 10))
    assert np.isnan(draws).all()
    assert np.isnan(interval(draws[:, 0, 0]).low)


def test_the_interval_covers_the_true_correlation() -> None:
    """A latent normal with correlation 1/2: Spearman's rho is 6/pi asin(1/4). Seeds of a prompt are not independent."""
    rng = np.random.default_rng(3)
    true = 6 / np.pi * np.arcsin(0.25)
    covered = []
    for trial in range(60):
        prompt = np.repeat(rng.normal(size=(50, 2)), 4, axis=0)  # half of the variance is the prompt's
        noise = rng.normal(size=(200, 2))
        x = prompt[:, 0] + noise[:, 0]
        y = 0.5 * x + np.sqrt(0.75) * (prompt[:, 1] + noise[:, 1])
        counts = resample(50, 300, seed=trial)
        found = interval(spearman_draws(x[:, None], y[:, None], np.repeat(np.arange(50), 4), counts)[:, 0, 0])
        covered.append(found.low <= true <= found.high)
    assert 0.85 <= np.mean(covered) <= 1.0


def test_ten_thousand_samples_in_reasonable_time() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10_000, 12))
    begin = time.process_time()
    spearman_draws(x, x[:, :1], np.repeat(np.arange(1000), 10), resample(1000, 200))
    assert time.process_time() - begin < 5  # 2,000 resamples of the whole matrix: 5 s on a busy core
