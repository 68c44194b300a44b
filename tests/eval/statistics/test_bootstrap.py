import numpy as np
import pytest

from skewbench.eval.statistics import benjamini_hochberg, interval, mean_draws, median_draws, paired_change, resample


def test_resamples_are_seeded_and_draw_as_many_clusters_as_there_are() -> None:
    counts = resample(40, 100, seed=7)
    assert (counts.sum(axis=1) == 40).all()
    assert (counts == resample(40, 100, seed=7)).all()
    assert (counts != resample(40, 100, seed=8)).any()
    assert counts.mean() == 1
    assert counts.var() == pytest.approx(1 - 1 / 40, rel=0.1)
    with pytest.raises(ValueError, match="needs at least one cluster"):
        resample(0, 10)


def test_mean_draws_are_means_of_the_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 2))
    values[4, 1] = np.nan
    clusters = np.repeat(np.arange(10), 3)
    counts = resample(10, 25)
    draws = mean_draws(values, clusters, counts)
    for draw, count in zip(draws, counts, strict=True):
        again = np.repeat(values, count[clusters], axis=0)
        assert draw == pytest.approx(np.nanmean(again, axis=0))


def test_the_clustered_interval_is_as_wide_as_the_clusters_make_it() -> None:
    """Seeds that say all the same add nothing: 50 prompts of 10 equal seeds are 50 values."""
    values = np.repeat(np.random.default_rng(1).normal(size=50), 10)[:, None]
    clusters = np.repeat(np.arange(50), 10)
    found = interval(mean_draws(values, clusters, resample(50, 2000))[:, 0])
    expected = 2 * 1.96 * values.std() / np.sqrt(50)
    assert found.high - found.low == pytest.approx(expected, rel=0.1)


def test_means_and_paired_changes_cover_the_truth() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(40), 5)
    by_bootstrap, by_student = [], []
    for trial in range(100):
        change = 0.3 + np.repeat(rng.normal(size=40), 5) + rng.normal(size=200)
        found = interval(mean_draws(change[:, None], clusters, resample(40, 400, seed=trial))[:, 0])
        paired = paired_change(np.zeros(200), change, clusters)
        by_bootstrap.append(found.low <= 0.3 <= found.high)
        by_student.append(paired.low <= 0.3 <= paired.high)
    assert np.mean(by_bootstrap) >= 0.87
    assert np.mean(by_student) >= 0.89


def test_paired_change_with_one_sample_a_cluster_is_the_paired_t_test() -> None:
    from scipy import stats

    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 30))
    ours = paired_change(a, b, np.arange(30))
    test = stats.ttest_rel(b, a)
    assert (ours.n, ours.clusters) == (30, 30)
    assert ours.p == pytest.approx(test.pvalue)
    assert (ours.low, ours.high) == pytest.approx(tuple(test.confidence_interval()))


def test_paired_change_of_few_or_equal_values() -> None:
    assert np.isnan(paired_change([], [], []).change)
    one = paired_change([1.0, np.nan], [2.0, 3.0], ["a", "b"])
    assert (one.change, one.n) == (1.0, 1)
    assert np.isnan(one.p)
    assert paired_change([0.0, 0.0], [0.0, 0.0], ["a", "b"]).p == 1.0
    assert paired_change([0.0, 0.0], [1.0, 1.0], ["a", "b"]).p == 0.0


def test_benjamini_hochberg_over_a_table() -> None:
    """The example of Benjamini and Hochberg (1995), section 3.2: four of fifteen are rejected at 0.05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590]
    adjusted = benjamini_hochberg([*p, 1.0, np.nan])
    assert (adjusted <= 0.05).sum() == 4
    assert np.isnan(adjusted[-1])
    assert benjamini_hochberg([[0.01, 0.02], [np.nan, 0.03]]).shape == (2, 2)


def test_median_draws_are_those_of_the_repeated_rows() -> None:
    rng = np.random.default_rng(4)
    values = rng.integers(0, 6, (30, 2)).astype(float)
    values[5, 1] = np.nan
    clusters = np.repeat(np.arange(10), 3)
    counts = resample(10, 20)
    draws = median_draws(values, clusters, counts)
    for draw, count in zip(draws, counts, strict=True):
        again = np.repeat(np.arange(30), count[clusters])
        assert draw == pytest.approx(np.nanmedian(values[again], axis=0))
    assert np.isnan(median_draws(np.full((30, 1), np.nan), clusters, counts)).all()
