"""Vendi scores of all orders, RKE and the mean similarity against their closed forms."""

from math import inf

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from skewbench.eval.scorers.mean_similarity import mean_similarity
from skewbench.eval.scorers.rke import rke
from skewbench.eval.scorers.shapes_clip_diversity import mean_pairwise_distance
from skewbench.eval.scorers.vendi_orders import vendi_of_order
from skewbench.eval.scorers.vendi_score import vendi_score

ORDERS = [0.1, 0.5, 1, 2, inf]


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_copies_are_one(n):
    features = normalize(torch.randn(1, 192, generator=torch.Generator().manual_seed(n))).expand(n, -1)
    assert vendi_score(features) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_orthogonal_features_are_as_many_as_they_are(n):
    rotation = torch.linalg.qr(torch.randn(192, 192, generator=torch.Generator().manual_seed(n))).Q
    assert vendi_score(rotation[:n]) == pytest.approx(n, rel=1e-5)


def test_equal_clusters_count_once_each_and_unequal_ones_by_their_entropy():
    clusters = torch.eye(8)
    assert vendi_score(clusters[[0, 1, 2] * 5]) == pytest.approx(3.0)
    shares = np.array([0.75, 0.25])
    assert vendi_score(clusters[[0, 0, 0, 1]]) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


@pytest.mark.parametrize("angle", [0.1, 1.0, 1.5])
def test_two_features_at_an_angle(angle):
    """The eigenvalues of a 2 x 2 cosine kernel over 2 are (1 + c) / 2 and (1 - c) / 2."""
    features = torch.tensor([[1.0, 0.0], [np.cos(angle), np.sin(angle)]], dtype=torch.float64)
    shares = np.array([1 + np.cos(angle), 1 - np.cos(angle)]) / 2
    assert vendi_score(features) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert mean_pairwise_distance(features) == pytest.approx(1 - np.cos(angle))


def test_mean_distance_is_of_pairs():
    features = normalize(torch.randn(5, 16, generator=torch.Generator().manual_seed(0)))
    pairs = [1 - float(features[i] @ features[j]) for i in range(5) for j in range(i)]
    assert mean_pairwise_distance(features) == pytest.approx(np.mean(pairs), abs=1e-6)
    assert mean_pairwise_distance(torch.eye(4)) == pytest.approx(1.0)
    assert mean_pairwise_distance(torch.eye(4)[[2, 2, 2]]) == pytest.approx(0.0)


def _features(n, width=24, seed=0):
    return normalize(torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


@pytest.mark.parametrize("order", ORDERS)
def test_orders_of_copies_orthogonal_features_and_equal_clusters(order):
    assert vendi_of_order(_features(1).float().expand(9, -1), order) == pytest.approx(1.0, abs=1e-5)
    assert vendi_of_order(torch.eye(7), order) == pytest.approx(7.0)
    assert vendi_of_order(torch.eye(8)[[0, 1, 2] * 5], order) == pytest.approx(3.0)


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_the_hill_number_of_the_kernels_eigenvalues(order):
    """Hill numbers, by NumPy's eigenvalues of the kernel that is written out entry by entry."""
    rows = _features(6).numpy()
    kernel = np.array([[sum(x * y for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]) / 6
    shares = np.linalg.eigvals(kernel).real
    hill = {1: np.exp(-(shares * np.log(shares)).sum()), inf: 1 / shares.max()}
    expected = hill[order] if order in hill else (shares**order).sum() ** (1 / (1 - order))
    assert vendi_of_order(torch.from_numpy(rows), order) == pytest.approx(expected)


def test_orders_fall_and_meet_at_one():
    features = _features(12)
    values = [vendi_of_order(features, order) for order in ORDERS]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)
    assert vendi_of_order(features, 1 + 1e-6) == pytest.approx(vendi_score(features), rel=1e-5)


@pytest.mark.parametrize("bandwidth", [0.2, 0.5, 2.0])
def test_rke_is_the_double_sum(bandwidth):
    features = _features(5)
    total = sum(np.exp(-float((a - b) @ (a - b)) / bandwidth**2) for a in features for b in features)
    assert rke(features, bandwidth) == pytest.approx(25 / total)


def test_rke_counts_equal_modes_that_are_far_apart():
    assert rke(torch.eye(4)[[0, 0, 1, 1, 2, 2]], bandwidth=0.1) == pytest.approx(3.0)
    assert rke(_features(1).expand(6, -1)) == pytest.approx(1.0)


def test_vendi_of_order_two_is_rke_with_the_cosine_kernel():
    features = _features(8)
    kernel = (features @ features.T / 8).numpy()
    assert vendi_of_order(features, 2) == pytest.approx(1 / np.linalg.norm(kernel) ** 2)


def test_mean_similarity_is_of_pairs():
    features = _features(5)
    pairs = [float(features[i] @ features[j]) for i in range(5) for j in range(i)]
    assert mean_similarity(features) == pytest.approx(np.mean(pairs))
    assert mean_similarity(torch.eye(4)[[2, 2, 2]]) == pytest.approx(1.0)
