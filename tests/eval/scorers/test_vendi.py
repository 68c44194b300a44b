"""The Vendi score and the mean pairwise distance against their closed forms."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from skewbench.eval.scorers.shapes_clip_diversity import mean_pairwise_distance
from skewbench.eval.scorers.vendi_score import vendi_score


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
