"""Waveform -> events with their attributes."""

from dataclasses import dataclass
from math import gcd, log2, sqrt

import numpy as np
from jaxtyping import Float
from scipy.signal import resample_poly

from skewbench.eval.sounds.render import level_of
from skewbench.eval.sounds.vocabulary import GAP, LOUDNESS, PITCHES, RATE, SWEEP, TONAL

_HOP = 0.004
_WINDOW = 0.016
QUIETEST = LOUDNESS["quiet"] / 2
"""Root mean square over 16 ms below which there is no event."""
_BELOW = 0.12
"""An event ends where the level falls below this share of its loudest: an echo or a tail is no event of its own."""
_PAUSE = GAP / 2
"""Seconds below which a pause is within an event."""
_SHORT = 0.05
"""Seconds below which an event is a click; the shortest other event lasts 0.12."""
_FLAT = 0.2
"""Spectral flatness above which an event is noise: white noise has about 0.56, a tone below 0.05."""
_OVERTONES = 0.1
"""Share of power beside the fundamental above which a timbre is buzzy: a sawtooth has 0.2 to 0.4, a sine 0."""
_FRAME = 0.032
_ZEROS = 8
"""Zero padding of a frame's spectrum, for the place of its maximum."""


@dataclass(frozen=True)
class HeardEvent:
    """One event as it was heard. `start` and `seconds` in seconds, `hertz` the geometric middle of its pitch."""

    kind: str
    pitch: str | None
    timbre: str | None
    loudness: str
    start: float
    seconds: float
    hertz: float | None


def describe(wave: Float[np.ndarray, "n"], rate: int = RATE) -> list[HeardEvent]:
    """Describe the events of a sound in the order of time.

    Args:
        wave: Samples, full scale 1.
        rate: Samples a second; resampled to 8 kHz.
    """
    if rate != RATE:
        common = gcd(rate, RATE)
        wave = resample_poly(wave, RATE // common, rate // common)
    wave = np.asarray(wave, np.float64)
    return [_event(wave[a:b], a / RATE) for a, b in _spans(wave)]


def _spans(wave: Float[np.ndarray, "n"]) -> list[tuple[int, int]]:
    """First and last sample of each event."""
    hop, width = round(_HOP * RATE), round(_WINDOW * RATE)
    power = np.convolve(wave**2, np.ones(width) / width, "same")[::hop]
    level = np.sqrt(np.maximum(power, 0.0))
    # the level around each place, so that the end of a loud event is measured by that event
    near = round(0.1 / _HOP)
    around = np.array([level[max(0, i - near) : i + near + 1].max() for i in range(len(level))])
    on = (level > QUIETEST) & (level > _BELOW * around)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
    spans = [(int(a) * hop, int(b) * hop) for a, b in edges.reshape(-1, 2)]
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first - joined[-1][1] < _PAUSE * RATE:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def _event(wave: Float[np.ndarray, "n"], start: float) -> HeardEvent:
    seconds = len(wave) / RATE
    loudness = "loud" if level_of(wave) > sqrt(LOUDNESS["quiet"] * LOUDNESS["loud"]) else "quiet"
    if seconds < _SHORT:
        return HeardEvent("click", None, None, loudness, start, seconds, None)
    spectra, frequencies = _spectra(wave)
    if _flatness(spectra) > _FLAT:
        return HeardEvent("noise burst", None, None, loudness, start, seconds, None)
    track = frequencies[_fundamentals(spectra, frequencies)]
    rise = _slope(track) * len(track)
    kind = TONAL[0] if abs(rise) < log2(SWEEP) else TONAL[1] if rise > 0 else TONAL[2]
    hertz = float(np.exp(np.mean(np.log(track))))
    pitch = min(PITCHES, key=lambda name: abs(log2(hertz / sqrt(PITCHES[name][0] * PITCHES[name][1]))))
    beside = np.abs(frequencies[None] - track[:, None]) > 2.5 / _FRAME
    share = float((spectra * beside).sum() / spectra.sum())
    return HeardEvent(kind, pitch, "buzzy" if share > _OVERTONES else "pure", loudness, start, seconds, hertz)


def _spectra(wave: Float[np.ndarray, "n"]) -> tuple[Float[np.ndarray, "t f"], Float[np.ndarray, "f"]]:
    """Power of each frame without the quiet edges of the event, and the frequencies in Hz."""
    width, hop = round(_FRAME * RATE), round(_FRAME * RATE / 4)
    wave = np.pad(wave, (0, max(0, width - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, width)[::hop]
    power = (frames**2).mean(1)
    frames = frames[power >= power.max() / 4] * np.hanning(width)
    spectra = np.abs(np.fft.rfft(frames, width * _ZEROS)) ** 2
    return spectra, np.fft.rfftfreq(width * _ZEROS, 1 / RATE)


def _flatness(spectra: Float[np.ndarray, "t f"]) -> float:
    """Spectral flatness of a typical frame: the geometric over the arithmetic mean of its power."""
    coarse = spectra[:, ::_ZEROS]
    return float(np.median(np.exp(np.log(coarse + 1e-12 * coarse.max()).mean(1)) / coarse.mean(1)))


def _fundamentals(spectra: Float[np.ndarray, "t f"], frequencies: Float[np.ndarray, "f"]) -> Float[np.ndarray, "t"]:
    """Index of the fundamental in each frame: the lowest peak with a fourth of the power of the highest."""
    low = frequencies > 80
    found = []
    for power in spectra * low:
        inside = power[1:-1]
        peaks = 1 + np.flatnonzero((inside >= power[:-2]) & (inside > power[2:]) & (inside > power.max() / 4))
        found.append(peaks[0] if len(peaks) else int(power.argmax()))
    return np.array(found)


def _slope(track: Float[np.ndarray, "t"]) -> float:
    """Octaves a frame, by the median of all slopes between two frames (Theil, Sen)."""
    octaves = np.log2(track)
    first, second = np.triu_indices(len(track), 1)
    return float(np.median((octaves[second] - octaves[first]) / (second - first))) if len(first) else 0.0
