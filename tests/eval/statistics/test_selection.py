import numpy as np
import pytest

from skewbench.eval.statistics import resample, worst_draws, worst_mean


def test_without_ties_it_is_the_mean_of_the_lowest() -> None:
    rng = np.random.default_rng(0)
    chosen, values = rng.normal(size=(2, 50))
    assert worst_mean(chosen, values, 0.2) == pytest.approx(values[np.argsort(chosen)[:10]].mean())


def test_ties_at_the_edge_share_the_room_whatever_their_order() -> None:
    chosen = np.array([0.0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    values = np.arange(10.0)
    expected = (values[0] + values[1:5].mean()) / 2  # two of ten: the lowest, and one of four equals
    assert worst_mean(chosen, values, 0.2) == pytest.approx(expected)
    order = np.random.default_rng(1).permutation(10)
    assert worst_mean(chosen[order], values[order], 0.2) == pytest.approx(expected)


def test_draws_are_those_of_the_repeated_rows() -> None:
    rng = np.random.default_rng(2)
    chosen = rng.integers(0, 5, (40, 2)).astype(float)
    values = rng.normal(size=(40, 2))
    values[3, 1] = np.nan
    clusters = np.repeat(np.arange(10), 4)
    counts = resample(10, 10)
    draws = worst_draws(chosen, values, clusters, counts, 0.25)
    for draw, count in zip(draws, counts, strict=True):
        again = np.repeat(np.arange(40), count[clusters])
        for i in range(2):
            assert draw[i, 0] == pytest.approx(worst_mean(chosen[again, i], values[again, 0], 0.25))
    assert np.isfinite(draws).all()


def test_nothing_to_choose_from() -> None:
    assert np.isnan(worst_mean([np.nan, 1.0], [1.0, np.nan], 0.2))
    with pytest.raises(ValueError, match=r"fraction 0.9"):
        worst_mean([1.0], [1.0], 0.9)


@pytest.mark.parametrize("repair", [0.0, 0.5])
def test_the_swap_control_is_zero_for_a_null_knob_and_the_repair_for_a_true_one(repair: float) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=40_000)
    baseline = truth + rng.normal(size=40_000)
    knob = truth + rng.normal(size=40_000) + repair
    drift = worst_mean(baseline, knob - baseline, 0.2)
    back = worst_mean(knob, baseline - knob, 0.2)
    assert drift > repair + 0.5  # measured again, the worst look better by themselves
    assert (drift - back) / 2 == pytest.approx(repair, abs=0.03)
