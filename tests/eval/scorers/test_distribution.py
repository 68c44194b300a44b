"""FID, KID and PRDC against closed forms and independent implementations; Inception through torch-fidelity."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import linalg
from scipy.spatial.distance import cdist
from torch_fidelity.metric_kid import mmd2

from skewbench.eval.features.inception import Inception
from skewbench.eval.scorers import dinov2_distribution
from skewbench.eval.scorers.distribution import compare
from skewbench.eval.scoring.distribution import fid, kid, prdc
from skewbench.eval.weights import BadWeights
from tests.eval.scorers.tiny_inception import save_inception


def _exact_gaussian(rng: np.random.Generator, n: int, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Draws whose sample mean and covariance are exactly these."""
    draws = rng.standard_normal((n, len(mean)))
    draws -= draws.mean(axis=0)
    white = draws @ np.linalg.inv(np.linalg.cholesky(np.cov(draws, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_fid_of_gaussians_is_the_analytic_distance() -> None:
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((2, 8, 8))
    first, second = (factor @ factor.T + np.eye(8) for factor in factors)
    means = rng.standard_normal((2, 8))
    root = linalg.sqrtm(linalg.sqrtm(first) @ second @ linalg.sqrtm(first)).real
    analytic = ((means[0] - means[1]) ** 2).sum() + np.trace(first + second - 2 * root)
    made, real = _exact_gaussian(rng, 50, means[0], first), _exact_gaussian(rng, 70, means[1], second)
    assert fid(made, real) == pytest.approx(analytic, rel=1e-6)
    assert fid(made, made) == pytest.approx(0, abs=1e-6)


def test_fid_of_shifted_and_scaled_gaussians() -> None:
    """|shift|² + d (1 - scale)²."""
    draws = _exact_gaussian(np.random.default_rng(1), 40, np.zeros(5), np.eye(5))
    assert fid(draws, 3 * draws + 2) == pytest.approx(5 * 4 + 5 * 4, rel=1e-6)


def test_kid_is_the_librarys_unbiased_estimate() -> None:
    rng = np.random.default_rng(2)
    made, real = rng.standard_normal((40, 6)), rng.standard_normal((40, 6)) + 0.5
    kernel = [(x @ y.T / 6 + 1) ** 3 for x, y in ((made, made), (made, real), (real, real))]
    assert kid(made, real)[0] == pytest.approx(mmd2(*kernel), rel=1e-9)


def test_kid_of_one_distribution_is_zero_within_its_error() -> None:
    """Unbiased, and the error is about the spread of the value."""
    rng = np.random.default_rng(3)
    found = np.array([kid(*rng.standard_normal((2, 60, 6))) for _ in range(200)])
    spread = found[:, 0].std()
    assert abs(found[:, 0].mean()) < 3 * spread / np.sqrt(200)
    assert 0.6 < np.sqrt((found[:, 1] ** 2).mean()) / spread < 1.7
    assert kid(rng.standard_normal((60, 6)) + 1, rng.standard_normal((60, 6)))[0] > 5 * spread


def test_prdc_by_hand() -> None:
    """On a line, with one neighbour: real balls of radius 1 at 0, 1, 2; made at 0.5, 1.5 and far away."""
    real = np.array([[0.0], [1.0], [2.0]])
    found = prdc(np.array([[0.5], [1.5], [10.0]]), real, nearest=1)
    assert (found.precision, found.coverage) == (pytest.approx(2 / 3), 1)
    assert found.density == pytest.approx((2 + 2 + 0) / 3)
    assert found.recall == 1  # the far one's ball reaches to 1.5


def test_prdc_is_what_the_definitions_say() -> None:
    """Loops over images, straight from the papers."""
    rng = np.random.default_rng(4)
    made, real, k = rng.standard_normal((30, 4)), rng.standard_normal((25, 4)) * 1.3, 5
    between = cdist(real, made)
    of_real = [sorted(row)[k] for row in cdist(real, real)]
    of_made = [sorted(row)[k] for row in cdist(made, made)]
    found = prdc(made, real, k)
    assert found.precision == pytest.approx(
        np.mean([any(between[i, j] < of_real[i] for i in range(25)) for j in range(30)])
    )
    assert found.recall == pytest.approx(
        np.mean([any(between[i, j] < of_made[j] for j in range(30)) for i in range(25)])
    )
    assert found.density == pytest.approx(
        sum(between[i, j] < of_real[i] for i in range(25) for j in range(30)) / (k * 30)
    )
    assert found.coverage == pytest.approx(np.mean([min(between[i]) < of_real[i] for i in range(25)]))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_inception(tmp_path_factory.mktemp("inception") / "inception.pth")


def test_features_do_not_depend_on_the_batch(weights: Path) -> None:
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((40, 40), (40, 40), (32, 48))]
    network = Inception(weights)
    together = network.images(images)
    assert together.shape == (3, 2048)
    alone = torch.cat([Inception(weights).images([image]) for image in images])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-4 * float(together.abs().max()))
    assert network.images([]).shape == (0, 2048)


def test_a_broken_network_is_told(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "inception.pth")
    with pytest.raises(BadWeights, match=r"inception\.pth is not of Inception"):
        Inception(tmp_path / "inception.pth").images([np.zeros((8, 8, 3), np.uint8)])


def test_too_few_images_are_told() -> None:
    rng = np.random.default_rng(6)
    few = compare(rng.standard_normal((4, 16)), rng.standard_normal((40, 16)))
    assert "kid has no such bias" in str(few["fid"].reason)
    assert (few["kid"].value is not None, few["kid"].n) == (True, 4)
    assert "more than 5" in str(few["precision"].reason)
    enough = compare(rng.standard_normal((40, 16)), rng.standard_normal((40, 16)))
    assert all(score.value is not None and score.n == 40 for score in enough.values())
    none = compare(np.zeros((0, 16)), rng.standard_normal((40, 16)))
    assert all(score.value is None for score in none.values())


def test_the_same_on_dinov2_has_names_of_its_own() -> None:
    made, real = np.random.default_rng(7).standard_normal((2, 40, 16))
    ours, theirs = compare(made, real + 0.5), dinov2_distribution.compare(made, real + 0.5)
    assert list(theirs) == [metric.name for metric in dinov2_distribution.METRICS]
    assert [score.value for score in theirs.values()] == [score.value for score in ours.values()]
    assert "kdd has no such bias" in str(dinov2_distribution.compare(made[:4], real)["fdd"].reason)
