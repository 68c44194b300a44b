"""Measures the errors of the scorer of sounds on damaged renderings, with and without a known defect."""

from collections import Counter
from time import perf_counter

import numpy as np
from jaxtyping import Float

from skewbench.eval.scorer_errors import Report
from skewbench.eval.sound_binding.defects import DEFECTS
from skewbench.eval.sound_binding.describe import HeardEvent, describe
from skewbench.eval.sound_binding.diagnose import diagnose
from skewbench.eval.sounds.captions import CaptionMeaning, EventPhrase
from skewbench.eval.sounds.render import render
from skewbench.eval.sounds.sound import Sound, sample_sound
from skewbench.eval.sounds.vocabulary import GAP, LOUDNESS

ATTRIBUTES = ("kind", "pitch", "timbre", "loudness")


def degrade(wave: Float[np.ndarray, "n"], rng: np.random.Generator) -> Float[np.ndarray, "n"]:
    """Damage a rendering mildly: noise 26 to 40 dB below a loud event, a gain of 0.85 to 1.15, and an echo.

    Args:
        wave: A rendering.
        rng: Random generator.
    """
    noise = rng.normal(0.0, LOUDNESS["loud"] * 10 ** (-rng.uniform(26, 40) / 20), len(wave))
    delay, strength = int(rng.integers(20, 80)), rng.uniform(0.0, 0.1)
    echo = np.concatenate([np.zeros(delay), wave[:-delay]]) * strength
    return (wave + echo) * rng.uniform(0.85, 1.15) + noise


def full_meaning(sound: Sound) -> CaptionMeaning:
    """Return the meaning of a caption that leaves out nothing.

    Args:
        sound: The sound.
    """
    phrases = (EventPhrase(event.kind, event.pitch, event.timbre, event.loudness) for event in sound.events)
    return CaptionMeaning(tuple(phrases), ordered=len(sound.events) > 1)


def evaluate(sounds: int, seed: int) -> Report:
    """Render sounds of both splits, damage and describe them; then repeat it with each defect.

    Args:
        sounds: Number of sounds.
        seed: Seed of sounds and damage.
    """
    rng = np.random.default_rng(seed)
    report = Report()
    for k in range(sounds):
        sound = sample_sound(rng, int(rng.integers(1, 4)), "test" if k % 2 else "train")
        meaning = full_meaning(sound)
        wave, start = degrade(render(sound), rng), perf_counter()
        heard = describe(wave)
        report.seconds += perf_counter() - start
        report.samples += 1
        report.seen.update(_compare(sound, heard))
        report.false_alarms.update(diagnose(meaning, heard))
        for name, (put, word) in DEFECTS.items():
            defective = put(sound, rng)
            if defective is None:
                continue
            words = diagnose(meaning, describe(degrade(render(defective), rng)))
            report.add_defect(name, word, words)
    return report


def _compare(sound: Sound, heard: list[HeardEvent]) -> Counter[tuple[str, str, str]]:
    """Pair events by time and compare all their attributes."""
    found = Counter([("count", str(len(sound.events)), str(len(heard)))])
    for event in sound.events:
        near = min(heard, key=lambda other: abs(other.start - event.start), default=None)
        there = near is not None and abs(near.start - event.start) < GAP
        for name in ATTRIBUTES:
            found[name, str(getattr(event, name)), str(getattr(near, name)) if there else "absent"] += 1
    return found
