"""The Fréchet audio distance against transformers' own call and a written-out distance."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import linalg, signal
from transformers import ClapFeatureExtractor, ClapModel

from skewbench.eval.scorers.fad_clap import FadClap
from tests.tiny_clap import CLAP_WIDTH, save_clap

RATE = 24000


def _clips(count: int, seed: int, falling: float) -> list[tuple[np.ndarray, int]]:
    """Noise of half a second, the duller the more it falls with frequency."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(1, falling, RATE // 4 + 1)
    return [(np.fft.irfft(np.fft.rfft(rng.normal(0, 0.2, RATE // 2)) * slope), RATE) for _ in range(count)]


def _independent(folder: Path, clips: list[tuple[np.ndarray, int]]) -> np.ndarray:
    """By the parts of transformers' model, a clip at a time; the tiny extractor hears one second at 48 kHz."""
    model = ClapModel.from_pretrained(folder, use_safetensors=False, weights_only=True).eval()
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    rows = []
    for waveform, _ in clips:
        twice = np.tile(signal.resample_poly(waveform, 2, 1), 2)
        heard = extractor([twice], truncation="rand_trunc", sampling_rate=48000, return_tensors="pt")
        spectrum = heard["input_features"].float()
        with torch.no_grad():
            rows.append(model.audio_projection(model.audio_model(spectrum).pooler_output)[0])
    return torch.nn.functional.normalize(torch.stack(rows), dim=-1).double().numpy()


def test_it_is_the_distance_of_claps_features(tmp_path: Path) -> None:
    folder = save_clap(tmp_path / "clap")
    made, real = _clips(CLAP_WIDTH + 2, 0, 0.0), _clips(CLAP_WIDTH + 4, 1, 1.0)
    scorer = FadClap(folder)
    features = [scorer.features(clips) for clips in (made, real)]
    expected = [_independent(folder, clips) for clips in (made, real)]
    for own, theirs in zip(features, expected, strict=True):
        np.testing.assert_allclose(own, theirs, atol=1e-5)
    means = [rows.mean(axis=0) for rows in expected]
    first, second = (np.cov(rows, rowvar=False) for rows in expected)
    cross = linalg.sqrtm(first @ second).real
    distance = ((means[0] - means[1]) ** 2).sum() + np.trace(first + second - 2 * cross)
    (score,) = scorer.compare(*features).values()
    assert score.value == pytest.approx(distance, rel=1e-3)
    assert score.n == CLAP_WIDTH + 2
    (same,) = scorer.compare(features[1], features[1]).values()
    assert same.value == pytest.approx(0, abs=1e-6)


def test_no_more_clips_than_features_have_no_distance(tmp_path: Path) -> None:
    scorer = FadClap(save_clap(tmp_path / "clap"))
    rows = np.random.default_rng(0).normal(size=(CLAP_WIDTH, CLAP_WIDTH))
    (score,) = scorer.compare(rows, rows).values()
    assert score.reason == "16 waveforms, no more than the 16 features: the distance would be mostly noise"
