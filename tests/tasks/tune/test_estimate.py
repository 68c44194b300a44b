"""Gains, bounds and verdicts from pairs."""

import numpy as np
import pytest

from skewbench.eval.statistics import paired_change
from skewbench.tasks.tune.estimate import Estimate, Pairs, estimate, pooled
from skewbench.tasks.tune.objective import Bound, Objective
from skewbench.tasks.tune.search import judge
from skewbench.vocabulary.errors import RunError

UP, DOWN = Objective("m", 1), Objective("m", -1)
AT_LEAST = Bound("d", 1, 0.9, 0.0)


def pairs(change: float, spread: float = 0.01, baseline: float = 1.0, prompts: int = 20) -> Pairs:
    """Two images a prompt, whose changes spread evenly about their mean."""
    ids = tuple(f"p{number}" for number in range(prompts) for _ in range(2))
    noise = spread * np.linspace(-1, 1, len(ids))
    base = np.full(len(ids), baseline)
    return Pairs(ids, base, base + change + noise, np.zeros(len(ids), bool))


def test_a_gain_is_positive_on_the_better_side() -> None:
    assert estimate({"m": pairs(0.1)}, UP).gain.change == pytest.approx(0.1)
    assert estimate({"m": pairs(0.1)}, DOWN).gain.change == pytest.approx(-0.1)


def test_the_interval_is_clustered_by_prompt() -> None:
    found, given = estimate({"m": pairs(0.1)}, UP).gain, pairs(0.1)
    assert found == paired_change(given.baseline, given.value, np.asarray(given.prompts))
    assert found.clusters == 20


@pytest.mark.parametrize(("change", "feasible"), [(-0.05, "yes"), (-0.1, "unclear"), (-0.15, "no")])
def test_a_bound_is_judged_by_its_interval(change: float, feasible: str) -> None:
    found = estimate({"m": pairs(0.1), "d": pairs(change)}, Objective("m", 1, (AT_LEAST,)))
    assert (found.feasible, found.slack[0].change) == (feasible, pytest.approx(0.1 + change))


@pytest.mark.parametrize(
    ("bound", "slack"),
    [
        (Bound("d", 1, 0.0, 0.7), 0.25),
        (Bound("d", -1, 0.0, 0.7), -0.25),
        (Bound("d", 1, 1.0, -0.2), 0.15),
        (Bound("d", -1, 1.1, 0.0), 0.15),
    ],
)
def test_bounds_of_each_form(bound: Bound, slack: float) -> None:
    found = estimate({"m": pairs(0.1), "d": pairs(-0.05)}, Objective("m", 1, (bound,)))
    assert found.slack[0].change == pytest.approx(slack)


def test_a_failed_image_counts_with_the_worst_value() -> None:
    given = pairs(0.1, spread=0.0)
    value, failed = given.value.copy(), given.failed.copy()
    value[0], failed[0], value[1] = np.nan, True, 0.2
    broken = Pairs(given.prompts, given.baseline, value, failed)
    up, down = estimate({"m": broken}, UP), estimate({"m": broken}, DOWN)
    assert (up.failed, up.gain.n) == (1, 40)
    assert up.gain.change == pytest.approx((38 * 0.1 - 0.8 - 0.8) / 40)  # the lowest value, 0.2
    assert down.gain.change == pytest.approx(-(38 * 0.1 - 0.8 + 0.1) / 40)  # the highest value, 1.1


def test_rounds_are_pooled() -> None:
    first, second = pairs(0.1), pairs(0.3, prompts=10)
    renamed = Pairs(tuple(f"q{name}" for name in second.prompts), second.baseline, second.value, second.failed)
    found = estimate({"m": pooled([first, renamed])}, UP).gain
    assert (found.n, found.clusters, found.change) == (60, 30, pytest.approx((40 * 0.1 + 20 * 0.3) / 60))


def test_without_pairs_nothing_is_estimated() -> None:
    with pytest.raises(RunError, match="the baseline has no value of d"):
        estimate({"m": pairs(0.1)}, Objective("m", 1, (AT_LEAST,)))


def test_a_share_of_a_negative_baseline_is_refused() -> None:
    with pytest.raises(
        RunError, match="needs a positive mean of the baseline, which is -1; use 'd >= baseline - NUMBER'"
    ):
        estimate({"m": pairs(0.1), "d": pairs(0.0, baseline=-1.0)}, Objective("m", 1, (AT_LEAST,)))


@pytest.mark.parametrize(
    ("gain", "diversity", "prompts", "verdict", "reason"),
    [
        (0.1, -0.05, 20, "better", "the interval of the gain lies above 0, and all bounds are kept"),
        (0.0, -0.05, 20, "not shown", "the interval of the gain includes 0"),
        (-0.1, -0.05, 20, "worse", "the interval of the gain lies below 0"),
        (0.1, -0.1, 20, "not shown", "d >= 0.9 of baseline is not certain"),
        (0.1, -0.15, 20, "not shown", "d >= 0.9 of baseline is broken"),
        (0.1, -0.05, 9, "not shown", "only 9 prompts have a pair; 10 are needed"),
    ],
)
def test_verdicts(gain: float, diversity: float, prompts: int, verdict: str, reason: str) -> None:
    objective = Objective("m", 1, (AT_LEAST,))
    found: Estimate = estimate(
        {"m": pairs(gain, prompts=prompts), "d": pairs(diversity, prompts=prompts)}, objective, level=0.01
    )
    assert judge(found, objective) == (verdict, reason)
