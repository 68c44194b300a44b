"""Two groups that took turns, and one night beside earlier ones."""

import numpy as np
import pytest
from scipy import stats

from skewbench.eval.statistics import against_history, in_turns

ABBA = np.array([False, True, True, False] * 3)
ABAB = np.array([False, True] * 6)


def test_turns_in_a_balanced_order_are_a_paired_t_test() -> None:
    values = np.random.default_rng(1).normal(size=12) + 0.8 * ABBA
    found = in_turns(values, ABBA)
    asked = stats.ttest_rel(values[ABBA], values[~ABBA])
    assert (found.p, found.n, found.freedom) == (pytest.approx(asked.pvalue), 6, 5)
    assert (found.low, found.high) == pytest.approx(tuple(asked.confidence_interval()))


def test_turns_in_which_one_goes_first_are_a_regression_beside_a_line() -> None:
    """The F test of the two nested models, fitted by lstsq, has the same p."""
    values = np.random.default_rng(1).normal(size=12) + 0.8 * ABAB
    line = np.vander(np.arange(12.0), 2)
    wide = np.column_stack([ABAB, line])
    narrow, full = (float(np.linalg.lstsq(design, values)[1][0]) for design in (line, wide))
    found = in_turns(values, ABAB)
    assert found.p == pytest.approx(stats.f.sf((narrow - full) / (full / 9), 1, 9))
    assert found.change == pytest.approx(np.linalg.lstsq(wide, values)[0][0])
    assert (found.n, found.freedom) == (6, 9)
    assert found.low < found.change < found.high


def test_a_steady_drift_is_no_difference() -> None:
    found = in_turns(0.3 * ABAB + 0.02 * np.arange(12), ABAB)
    assert (found.low, found.high) == pytest.approx((0.3, 0.3))
    rng = np.random.default_rng(2)
    p = np.array([in_turns(0.05 * noise + 0.02 * np.arange(12), ABAB).p for noise in rng.normal(size=(800, 12))])
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 800))


def test_a_machine_that_wanders_raises_no_more_alarms() -> None:
    rng = np.random.default_rng(3)
    walks = np.cumsum(rng.normal(size=(800, 12)), axis=1)
    assert np.mean([in_turns(walk, ABBA).p <= 0.05 for walk in walks]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 800)


def test_one_turn_is_no_test() -> None:
    assert np.isnan(in_turns(np.ones(2), np.array([True, False])).p)
    assert in_turns(np.ones(12), ABBA).p == 1.0


def test_one_more_night_is_a_t_prediction() -> None:
    earlier, now = [1.0, 1.1, 0.9, 1.05, 0.95], 1.3
    logs = np.log(earlier)
    t = (np.log(now) - logs.mean()) / (logs.std(ddof=1) * np.sqrt(1 + 1 / 5))
    found = against_history(earlier, now)
    assert found.p == pytest.approx(2 * stats.t.sf(t, 4))
    assert found.low < np.log(1.3) < found.high
    assert np.isnan(against_history([1.0], 1.2).p)


def test_nights_as_noisy_as_each_other_raise_no_alarm() -> None:
    rng = np.random.default_rng(3)
    p = np.array([against_history(np.exp(night[:5]), np.exp(night[5])).p for night in rng.normal(0, 0.3, (800, 6))])
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 800))
