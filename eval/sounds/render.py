"""Sound -> waveform."""

import numpy as np
from jaxtyping import Float

from skewbench.eval.sounds.sound import Event, Sound
from skewbench.eval.sounds.vocabulary import RATE, SAMPLES, SWEEP

LOUDEST = 0.016
"""Seconds over which the level of an event is measured."""
_FADE = 0.008
"""Seconds over which an event begins and ends."""
_DECAY = 0.005
"""Seconds in which a click falls to 1/e."""


def render(sound: Sound) -> Float[np.ndarray, "n"]:
    """Render a sound. Deterministic.

    Args:
        sound: Events that do not overlap.

    Returns:
        Waveform of 8,192 samples at 8 kHz, full scale 1, as float32.
    """
    wave = np.zeros(SAMPLES)
    noise = np.random.default_rng(sound.noise)
    for event in sound.events:
        part = _event(event, noise)
        first = round(event.start * RATE)
        wave[first : first + len(part)] += (part * event.level / level_of(part))[: SAMPLES - first]
    return wave.astype(np.float32)


def level_of(wave: Float[np.ndarray, "n"]) -> float:
    """Compute the root mean square of the loudest 16 ms.

    Args:
        wave: Samples at 8 kHz.
    """
    width = min(len(wave), round(LOUDEST * RATE))
    power = np.convolve(wave.astype(np.float64) ** 2, np.ones(width), "valid") / round(LOUDEST * RATE)
    return float(np.sqrt(max(power.max(), 0.0)))


def _event(event: Event, noise: np.random.Generator) -> Float[np.ndarray, "n"]:
    count = round(event.seconds * RATE)
    time = np.arange(count) / RATE
    if event.kind == "click":
        return noise.choice([-1.0, 1.0], count) * np.exp(-time / _DECAY)
    wave = noise.uniform(-1.0, 1.0, count) if event.hertz is None else _tonal(event, event.hertz, time)
    edge = np.minimum(time, event.seconds - time)
    return wave * np.clip(edge / _FADE, 0.0, 1.0)


def _tonal(event: Event, hertz: float, time: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    direction = {"rising sweep": 1.0, "falling sweep": -1.0}.get(event.kind, 0.0)
    frequency = hertz * SWEEP ** (direction * (2 * time / event.seconds - 1))
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    if event.timbre == "pure":
        return np.sin(phase)
    n = np.arange(1, int(RATE / 2 / frequency.min()) + 1)[:, None]
    harmonics: Float[np.ndarray, "h n"] = np.where(n * frequency < RATE / 2, np.sin(n * phase) / n, 0.0)
    return harmonics.sum(0)
