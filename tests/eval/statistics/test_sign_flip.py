"""Sign flips and equivalence against other implementations, and at their corners."""

import numpy as np
import pytest
from scipy import stats

from skewbench.eval.statistics import equivalence, least_p, paired_change, sign_flip


def test_few_clusters_are_exact() -> None:
    changes = np.array([0.4, -0.1, 0.3, 0.25, 0.2, -0.05])
    ours = sign_flip(changes[:, None], np.arange(6))[0]
    theirs = stats.permutation_test((changes,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert ours == pytest.approx(theirs.pvalue)


def test_many_clusters_agree_with_the_exact_answer() -> None:
    rng = np.random.default_rng(1)
    changes = rng.normal(0.35, 1.0, 16)
    exact = stats.permutation_test((changes,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    ours = sign_flip(changes[:, None], np.arange(16))[0]
    assert ours == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_more_flips_reach_a_smaller_p_where_it_is_needed() -> None:
    """All of them where they are no more than asked for, else random ones; an effect that is usual is left as it is."""
    rng = np.random.default_rng(3)
    changes = np.column_stack([np.full(30, 5.0), rng.normal(0.3, 1.0, 30)])
    few, many = sign_flip(changes, np.arange(30)), sign_flip(changes, np.arange(30), flips=299_999)
    assert (few[0], many[0]) == (1 / 20_000, 1 / 300_000)
    assert many[0] == least_p(30, 299_999)
    assert few[1] == many[1] > 0.001
    assert many.tolist() == sign_flip(changes, np.arange(30), flips=299_999).tolist()
    assert sign_flip(changes[:17], np.arange(17), flips=99_999)[0] == least_p(17, 99_999) == 2**-16


def test_many_flips_agree_with_the_exact_answer() -> None:
    changes = np.random.default_rng(4).normal(1.3, 1.0, 18)
    exact = sign_flip(changes[:, None], np.arange(18), flips=2**17)[0]
    ours = sign_flip(changes[:, None], np.arange(18), flips=2**17 - 2)[0]
    assert 0 < exact < 0.001
    assert ours == pytest.approx(exact, abs=4 * np.sqrt(exact / 2**17))


def test_a_cluster_flips_as_one() -> None:
    """Four seeds of a prompt are no four witnesses."""
    changes = np.full((12, 1), 0.5)
    assert sign_flip(changes, np.repeat(["a", "b", "c"], 4))[0] == 2 ** (1 - 3)
    assert sign_flip(changes, np.repeat("a", 12))[0] == 1.0


def test_columns_without_pairs_have_no_p() -> None:
    changes = np.array([[0.1, np.nan], [0.2, np.nan], [0.3, np.nan]])
    assert np.isnan(sign_flip(changes, [1, 2, 3])).tolist() == [False, True]
    assert sign_flip(np.zeros((20, 1)), np.arange(20))[0] == 1.0


def test_p_is_valid_under_no_change() -> None:
    """Skewed clusters of seeds that share a prompt's change: at most a share of 5% lies below 5%, but for chance."""
    rng = np.random.default_rng(0)
    prompts = rng.normal(size=(20, 400)) * rng.exponential(size=(20, 1))
    changes = np.repeat(prompts, 3, axis=0) + rng.normal(size=(60, 400))
    p = sign_flip(changes, np.repeat(np.arange(20), 3), flips=999)
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("margin", [0.05, 0.2, 0.6])
def test_equivalence_is_the_interval_within_the_margin(margin: float) -> None:
    rng = np.random.default_rng(2)
    found = paired_change(np.zeros(60), rng.normal(0.1, 0.5, 60), np.repeat(np.arange(15), 4), level=0.02)
    inside = -margin < found.low and found.high < margin
    assert (equivalence(found, margin) <= 0.01) == inside


def test_corners_of_equivalence() -> None:
    assert np.isnan(equivalence(paired_change([0.0], [0.1], ["a"]), 1.0))
    assert equivalence(paired_change([0.0, 0.0], [0.0, 0.0], ["a", "b"]), 0.1) == 0.0
    assert equivalence(paired_change([0.0, 0.0], [0.2, 0.2], ["a", "b"]), 0.1) == 1.0
    with pytest.raises(ValueError, match="more than 0"):
        equivalence(paired_change([0.0, 0.0], [0.0, 0.1], ["a", "b"]), 0.0)
