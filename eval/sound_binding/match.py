"""Matches phrases and events so that as many stated attributes as possible hold, kind before pitch."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from skewbench.eval.sound_binding.describe import HeardEvent
from skewbench.eval.sounds.captions import CaptionMeaning, EventPhrase

WEIGHTS = {"kind": 1.0, "pitch": 0.8, "timbre": 0.4, "loudness": 0.3}
"""Kind weighs most: if two pitches are exchanged, each kind keeps its phrase and has the wrong pitch."""
ORDER_WEIGHT = 0.01
"""Decides between equal events: each phrase then takes the one at its own place in time."""

Matching = dict[int, int]
"""Index of a phrase -> index of its event; a phrase without one is absent."""


def match(meaning: CaptionMeaning, heard: list[HeardEvent]) -> Matching:
    """Match phrases and events. A phrase and an event of different kinds match only if both have the same pitch.

    Solved as an assignment (`scipy.optimize.linear_sum_assignment`) by `WEIGHTS`.

    Args:
        meaning: What the prompt says.
        heard: The events of the sound, in the order of time.
    """
    if not heard:
        return {}
    merit = np.array([[_merit(phrase, event) for event in heard] for phrase in meaning.events])
    place = np.subtract.outer(np.arange(len(meaning.events)), np.arange(len(heard)))
    rows, columns = linear_sum_assignment(np.where(merit > 0, merit - ORDER_WEIGHT * abs(place), 0.0), maximize=True)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if merit[i, j] > 0}


def _merit(phrase: EventPhrase, event: HeardEvent) -> float:
    if phrase.kind != event.kind and (phrase.pitch is None or phrase.pitch != event.pitch):
        return 0.0
    stated = {name: value for name in WEIGHTS if (value := getattr(phrase, name)) is not None}
    return sum(WEIGHTS[name] for name, value in stated.items() if value == getattr(event, name))
