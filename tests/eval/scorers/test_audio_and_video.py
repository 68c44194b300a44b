"""Scorers of audio and video without weights, against computations that are written out here."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy import ndimage, signal

from skewbench.eval.scorers import GroupScore, make
from skewbench.eval.scoring import audio, video
from skewbench.eval.scoring.audio import Waveforms
from skewbench.eval.scoring.images import CorruptSample
from skewbench.eval.scoring.video import Videos

RATE = 16000


def _noise(count: int, seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (count, int(seconds * RATE)))


def _magnitudes(waveform: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Of scipy's transform, without the frames that it adds at the ends: (frames, frequencies)."""
    hann = signal.get_window("hann", window)
    transform = signal.ShortTimeFFT(hann, hop, RATE, phase_shift=None)
    first = transform.lower_border_end[1]
    last = transform.upper_border_begin(len(waveform))[1]
    return np.abs(transform.stft(waveform)).T[first - transform.p_min : last - transform.p_min]


def test_a_spectrum_is_scipys() -> None:
    waveform = _noise(1)[0]
    own, theirs = audio.spectrum(waveform[None], 512, 128)[0], _magnitudes(waveform, 512, 128)
    offset = np.argmin([np.abs(theirs[0] - row).sum() for row in own])
    np.testing.assert_allclose(own[offset : offset + len(theirs)], theirs, rtol=1e-9, atol=1e-9)
    assert len(theirs) > 100
    assert own.shape == (1 + (RATE - 512) // 128, 257)


def test_spectral_flatness() -> None:
    time = np.arange(RATE) / RATE
    rows = np.stack([_noise(1)[0], 0.5 * np.sin(2 * np.pi * 1000 * time), np.zeros(RATE)])
    scores = make("spectral_flatness").score(Waveforms(rows, RATE), ["a"] * 3)["spectral_flatness"]
    frames = np.stack([rows[0][start : start + 2048] for start in range(0, RATE - 2047, 512)])
    power = np.abs(np.fft.rfft(frames * signal.get_window("hann", 2048))) ** 2
    expected = np.mean([np.prod(row ** (1 / len(row))) / row.mean() for row in power])
    assert scores[0].value == pytest.approx(expected, rel=1e-6)
    assert scores[0].value == pytest.approx(np.exp(-np.euler_gamma), abs=0.02)
    assert scores[1].value is not None
    assert scores[1].value < 1e-6
    assert scores[2].reason == "the waveform is silent"


@pytest.mark.parametrize("clicks", [0, 2, 7])
def test_onset_rate_counts_clicks_over_noise(clicks: int) -> None:
    waveform = _noise(1, 2.0)[0] * 0.01
    for start in np.linspace(0.2, 1.8, clicks) * RATE:
        waveform[int(start) : int(start) + 400] += 0.5 * np.hanning(400) * np.sin(np.arange(400))
    (score,) = make("onset_rate").score(Waveforms(waveform[None], RATE), ["a"])["onset_rate"]
    assert score.value == clicks / 2


def test_steady_sounds_have_no_onset() -> None:
    time = np.arange(4 * RATE) / RATE
    rows = np.stack([*_noise(3, 4.0), 0.5 * np.sin(2 * np.pi * 3000 * time), np.zeros(4 * RATE)])
    assert [score.value for score in make("onset_rate").score(Waveforms(rows, RATE), ["a"] * 5)["onset_rate"]] == [
        0
    ] * 5


@pytest.mark.parametrize("hertz", [100, 440, 5000])
def test_a_tone_begins_once(hertz: int) -> None:
    tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
    tone[: RATE // 2] = 0
    assert make("onset_rate").score(Waveforms(tone[None], RATE), ["a"])["onset_rate"][0].value == 1


def test_a_waveform_too_short_for_onsets_has_no_rate() -> None:
    (score,) = make("onset_rate").score(Waveforms(_noise(1, 0.1), RATE), ["a"])["onset_rate"]
    assert score.reason == "0.1 s are too short; onsets need 0.128 s"


def test_msstft_diversity() -> None:
    rows = np.stack([*_noise(2), np.zeros(RATE)])
    score = make("msstft_diversity").score_group(Waveforms(rows, RATE), "a")["msstft_diversity"]
    distances = []
    for window in (2048, 1024, 512):
        hann, hop = signal.get_window("hann", window), window // 4
        starts = range(0, RATE - window + 1, hop)
        levels = [
            np.maximum(4 / window * np.abs([np.fft.rfft(hann * row[s : s + window]) for s in starts]), 1e-4)
            for row in rows[:2]
        ]
        distances += [20 * np.abs(np.log10(one / other)).mean() for one, other in combinations(levels, 2)]
    assert score == GroupScore(pytest.approx(np.mean(distances), rel=1e-9), n=2)
    alike = make("msstft_diversity").score_group(Waveforms(rows[[0, 0]], RATE), "a")["msstft_diversity"]
    assert alike == GroupScore(0.0, n=2)
    alone = make("msstft_diversity").score_group(Waveforms(rows[[0, 2]], RATE), "a")["msstft_diversity"]
    assert alone.reason == "1 waveforms that are not silent; pairs need two"


def test_scorers_of_frames() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 16, 24, 3)).astype(np.uint8)
    videos, prompts = Videos(frames, 8.0), ["a", "b"]
    change = make("frame_change").score(videos, prompts)["frame_change"]
    sharpness = make("frame_sharpness").score(videos, prompts)["frame_sharpness"]
    for i in range(2):
        grey = frames[i].astype(float) @ [0.299, 0.587, 0.114]
        moved = [np.abs(after - before).mean() for before, after in pairwise(grey)]
        assert change[i].value == pytest.approx(np.mean(moved), rel=1e-9)
        edges = [ndimage.laplace(frame, mode="nearest").var() for frame in grey]
        assert sharpness[i].value == pytest.approx(np.mean(edges), rel=1e-9)
    (single,) = make("frame_change").score(Videos(frames[:1, :1], 8.0), ["a"])["frame_change"]
    assert single.reason == "the video has one frame"


def test_wav_keeps_16_bits_and_its_bytes_are_the_same_each_time() -> None:
    waveform = _noise(1)[0].clip(-1, 1)
    content = audio.encode(waveform, RATE)
    decoded, rate = audio.decode(content)
    assert rate == RATE
    assert np.abs(decoded - waveform).max() <= 0.5 / 32767 + 1e-12
    assert content == audio.encode(waveform, RATE) == audio.encode(decoded, RATE)
    assert audio.decode(audio.encode(np.array([np.nan, np.inf, -np.inf, 2.0]), 8000))[0].tolist() == [0, 1, -1, 1]


@pytest.mark.parametrize("content", [b"", b"RIFF", audio.encode(np.ones(9), 8000)[:-3]])
def test_a_broken_wav_is_an_error(content: bytes) -> None:
    with pytest.raises(CorruptSample, match="is not a readable WAV"):
        audio.decode(content)


@pytest.mark.parametrize("fps", [8.0, 16.0, 23.976])
@pytest.mark.parametrize("chosen", [[0], [0, 1, 2, 3], [0, 0, 0], [0, 1, 1, 2, 2, 2]])
def test_video_keeps_every_frame_also_repeated_ones(chosen: list[int], fps: float) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 8, 16, 3)).astype(np.uint8)[chosen]
    content = video.encode(frames, fps)
    assert np.array_equal(video.decode(content, len(frames)), frames)
    assert content == video.encode(frames, fps)


def test_a_broken_video_is_an_error() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 8, 16, 3)).astype(np.uint8)
    content = video.encode(frames, 8.0)
    with pytest.raises(CorruptSample, match="is a damaged PNG"):
        video.decode(content[: len(content) // 2], 4)
    with pytest.raises(CorruptSample, match="has 4 frames; 5 were stored"):
        video.decode(content, 5)


def test_a_video_larger_than_its_run_is_not_decoded() -> None:
    content = video.encode(np.random.default_rng(0).integers(0, 256, (4, 8, 16, 3)).astype(np.uint8), 8.0)
    assert len(video.decode(content, 4, 8 * 16)) == 4
    with pytest.raises(CorruptSample, match="has 16 x 8 pixels, more than"):
        video.decode(content, 4, 8 * 16 - 1)
    with pytest.raises(CorruptSample, match="has 4 frames, more than 3"):
        video.decode(content, 3)
    with pytest.raises(CorruptSample, match="more than"):  # a hostile row may say any number
        video.decode(content, 2**24)
