import numpy as np
import pytest

from skewbench.eval.statistics import resample, smooth


def test_a_line_is_found_as_it_is() -> None:
    x = np.linspace(0, 1, 60)
    clusters = np.repeat(np.arange(20), 3)
    at = np.linspace(0.1, 0.9, 5)
    line, low, high = smooth(x, 2 * x - 1, clusters, resample(20, 50), at, 0.1)
    assert line == pytest.approx(2 * at - 1)
    assert low == pytest.approx(line, abs=1e-6)
    assert high == pytest.approx(line, abs=1e-6)


def test_it_is_weighted_least_squares_in_each_place_and_resample() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40))
    clusters = np.repeat(np.arange(10), 4)
    counts = resample(10, 200)
    at = np.array([-0.5, 0.3])
    line, low, high = smooth(x, y, clusters, counts, at, 0.4)

    def fitted(weights: np.ndarray, place: float) -> float:
        root = np.sqrt(weights * np.exp(-0.5 * ((x - place) / 0.4) ** 2))
        design = np.stack([root, root * (x - place)], axis=1)
        return float(np.linalg.lstsq(design, root * y, rcond=None)[0][0])

    assert line == pytest.approx([fitted(np.ones(40), place) for place in at])
    draws = np.array([[fitted(count[clusters], place) for place in at] for count in counts])
    assert low == pytest.approx(np.quantile(draws, 0.025, axis=0))
    assert high == pytest.approx(np.quantile(draws, 0.975, axis=0))


def test_all_at_one_place_give_their_mean() -> None:
    y = np.array([1.0, 2.0, 3.0])
    line, _, _ = smooth(np.zeros(3), y, np.arange(3), resample(3, 20), np.zeros(1), 1.0)
    assert line[0] == pytest.approx(2.0)
