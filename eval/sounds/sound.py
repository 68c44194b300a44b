"""Sounds: events with exact attributes and times, sampled at random from one of two splits.

The splits hold out *combinations*: no kind x pitch x timbre x loudness of the test split occurs in training, but each
pair of the four does. Noise bursts and clicks have neither pitch nor timbre and occur in both splits.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

import numpy as np

from skewbench.eval.sounds.vocabulary import (
    GAP,
    KINDS,
    LOUDNESS,
    MARGIN,
    PITCHES,
    RATE,
    SAMPLES,
    SECONDS,
    TIMBRES,
    TONAL,
)

Split = Literal["train", "test"]
Combination = tuple[str, str | None, str | None, str]

LARGEST = 1.15
"""Largest factor by which the level of an event differs from that of its word."""


@dataclass(frozen=True)
class Event:
    """One event. `pitch` and `timbre`: None for kinds that have none. `hertz`: the middle; None without a pitch.

    `start` and `seconds` in seconds, `level` as the root mean square of its loudest 16 ms.
    """

    kind: str
    pitch: str | None
    timbre: str | None
    loudness: str
    start: float
    seconds: float
    level: float
    hertz: float | None


@dataclass(frozen=True)
class Sound:
    """Events in the order of time. `noise`: the seed of noise bursts and clicks."""

    events: tuple[Event, ...]
    noise: int


def is_held_out(kind: str, pitch: str, timbre: str, loudness: str) -> bool:
    """Return whether a combination belongs to the test split: one of six, so that training has every pair.

    Args:
        kind: A word of `TONAL`.
        pitch: A key of `PITCHES`.
        timbre: A word of `TIMBRES`.
        loudness: A key of `LOUDNESS`.
    """
    k, p = TONAL.index(kind), list(PITCHES).index(pitch)
    return (k + p) % 3 == 0 and (TIMBRES.index(timbre) + list(LOUDNESS).index(loudness)) % 2 == 0


@cache
def combinations_of(split: Split) -> tuple[Combination, ...]:
    """List all combinations of a split.

    Args:
        split: `train` or `test`.

    Returns:
        Tuples (kind, pitch, timbre, loudness).
    """
    tonal = [c for c in product(TONAL, PITCHES, TIMBRES, LOUDNESS) if is_held_out(*c) == (split == "test")]
    return (*tonal, *((kind, None, None, loudness) for kind, loudness in product(KINDS[len(TONAL) :], LOUDNESS)))


def sample_sound(rng: np.random.Generator, count: int, split: Split = "train") -> Sound:
    """Sample a random sound whose events do not overlap and differ pairwise in kind or pitch.

    Args:
        rng: Random generator.
        count: Number of events, 1 to 3.
        split: Split that the combinations of attributes are from.

    Raises:
        ValueError: `count` is not 1, 2 or 3.
    """
    if not 1 <= count <= 3:
        raise ValueError(f"a sound has 1 to 3 events, not {count}")
    pool = combinations_of(split)
    # noise and clicks are few combinations among many: each kind is equally likely
    by_kind = {kind: [c for c in pool if c[0] == kind] for kind in KINDS}
    while True:
        kinds = [str(kind) for kind in rng.choice(KINDS, size=count)]
        drawn = [by_kind[kind][int(rng.integers(len(by_kind[kind])))] for kind in kinds]
        if len({(kind, pitch) for kind, pitch, _, _ in drawn}) == count:
            break
    lengths = [float(rng.uniform(*SECONDS[kind])) for kind, *_ in drawn]
    free = SAMPLES / RATE - 2 * MARGIN - GAP * (count - 1) - sum(lengths)
    shares = rng.dirichlet(np.ones(count + 1))[:-1]
    events, at = [], MARGIN
    for (kind, pitch, timbre, loudness), seconds, share in zip(drawn, lengths, shares, strict=True):
        at += free * float(share)
        level = LOUDNESS[loudness] * float(rng.uniform(1 / LARGEST, LARGEST))
        hertz = float(rng.uniform(*PITCHES[pitch])) if pitch else None
        events.append(Event(kind, pitch, timbre, loudness, at, seconds, level, hertz))
        at += seconds + GAP
    return Sound(tuple(events), int(rng.integers(2**31)))
