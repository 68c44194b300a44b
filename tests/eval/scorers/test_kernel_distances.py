"""CMMD and KID by subsets against sums that are written out."""

import numpy as np
import pytest

from skewbench.eval.scorers import Scorers
from skewbench.eval.scorers.cmmd import cmmd
from skewbench.eval.scorers.kid_subsets import SIZE, compare, kid_of_subsets
from skewbench.eval.scoring import distribution
from skewbench.eval.scoring.distribution import kid


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _kernel(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.exp(-((x - y) ** 2).sum() / 200))


def test_cmmd_is_the_unbiased_double_sum() -> None:
    rng = np.random.default_rng(0)
    made, real = rng.standard_normal((7, 5)), rng.standard_normal((9, 5)) + 1
    x, y = _unit(made), _unit(real)
    alike = sum(_kernel(x[i], x[j]) for i in range(7) for j in range(7) if i != j) / 42
    real_alike = sum(_kernel(y[i], y[j]) for i in range(9) for j in range(9) if i != j) / 72
    across = sum(_kernel(a, b) for a in x for b in y) / 63
    assert cmmd(made, real)[0] == pytest.approx(1000 * (alike + real_alike - 2 * across), rel=1e-8)
    assert cmmd(3 * made, real)[0] == pytest.approx(cmmd(made, real)[0])


def test_cmmd_differs_from_the_released_codes_estimate_by_the_pairs_with_themselves() -> None:
    """That code averages over all pairs, also those of an image with itself."""
    rng = np.random.default_rng(1)
    made, real = _unit(rng.standard_normal((40, 6))), _unit(rng.standard_normal((50, 6)) + 1)
    mean = [np.mean([[_kernel(a, b) for b in second] for a in first])
            for first, second in ((made, made), (real, real), (made, real))]  # fmt: skip
    released = 1000 * (mean[0] + mean[1] - 2 * mean[2])
    added = 1000 * sum((1 - part) / (len(rows) - 1) for rows, part in ((made, mean[0]), (real, mean[1])))
    assert cmmd(made, real)[0] == pytest.approx(released - added, rel=1e-6)
    cosines = [(len(rows) * (rows @ rows.T).mean() - 1) / (len(rows) - 1) for rows in (made, real)]
    stated = sum(10 * (1 - cosine) / len(rows) for rows, cosine in zip((made, real), cosines, strict=True))
    assert added == pytest.approx(stated, rel=0.02)


def test_cmmd_of_one_distribution_is_zero_within_its_error() -> None:
    rng = np.random.default_rng(2)
    found = np.array([cmmd(*rng.standard_normal((2, 40, 6))) for _ in range(100)])
    spread = found[:, 0].std()
    assert abs(found[:, 0].mean()) < 3 * spread / 10
    assert 0.6 < np.sqrt((found[:, 1] ** 2).mean()) / spread < 1.7
    assert cmmd(rng.standard_normal((40, 6)) + 1, rng.standard_normal((40, 6)))[0] > 5 * spread


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made, real = np.random.default_rng(5).standard_normal((2, 33, 6))
    whole = kid(made, real + 1), cmmd(made, real[:25] + 1)
    monkeypatch.setattr(distribution, "_ROWS", 8)
    assert (kid(made, real + 1), cmmd(made, real[:25] + 1)) == (pytest.approx(whole[0]), pytest.approx(whole[1]))


def test_kid_by_subsets_is_the_mean_of_the_subsets_kids() -> None:
    """The subsets are drawn here as torch-fidelity says: without replacement, the made ones first."""
    rng = np.random.default_rng(3)
    made, real = rng.standard_normal((60, 6)), rng.standard_normal((50, 6)) + 0.5
    draws, each = np.random.RandomState(7), []
    for _ in range(5):
        x = made[draws.choice(60, 20, replace=False)]
        y = real[draws.choice(50, 20, replace=False)]
        alike = [sum((rows[i] @ rows[j] / 6 + 1) ** 3 for i in range(20) for j in range(20) if i != j) / 380
                 for rows in (x, y)]  # fmt: skip
        each.append(sum(alike) - 2 * np.mean([[(a @ b / 6 + 1) ** 3 for b in y] for a in x]))
    assert kid_of_subsets(made, real, 5, 20, seed=7) == pytest.approx((np.mean(each), np.std(each)))
    assert kid_of_subsets(made, real, 200, 40)[0] == pytest.approx(kid(made, real)[0], rel=0.1)


def test_kid_by_subsets_needs_the_images_of_a_subset() -> None:
    made = np.random.default_rng(4).standard_normal((2, SIZE, 4))
    enough, few = compare(*made), compare(made[0], made[1, 1:])
    assert enough["kid_subsets"].value == kid_of_subsets(*made)[0]
    assert enough["kid_subsets"].n == SIZE
    assert few["kid_subsets"].reason == "999 images, fewer than the 1,000 of a subset; kid takes all at once"


def test_both_kids_share_inception() -> None:
    scorers = Scorers()
    subsets, whole = scorers.get("kid_subsets"), scorers.get("distribution")
    assert subsets._features is whole._features  # type: ignore[union-attr]
