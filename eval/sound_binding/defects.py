"""Puts one defect into a sound, to test whether the scorer names it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from skewbench.eval.sounds.sound import Event, Sound, sample_sound
from skewbench.eval.sounds.vocabulary import GAP, KINDS, LOUDNESS, MARGIN, PITCHES, RATE, SAMPLES, TIMBRES, TONAL

Put = Callable[[Sound, np.random.Generator], Sound | None]


def removed(sound: Sound, rng: np.random.Generator) -> Sound:
    """Remove one random event.

    Args:
        sound: The sound to damage.
        rng: Random generator.
    """
    gone = int(rng.integers(len(sound.events)))
    return replace(sound, events=tuple(event for i, event in enumerate(sound.events) if i != gone))


def added(sound: Sound, rng: np.random.Generator) -> Sound | None:
    """Add an event of a kind and pitch that the sound does not have, after the last one or before the first.

    Args:
        sound: The sound to damage.
        rng: Random generator.

    Returns:
        The sound with one event more; None if it has the kind or the pitch, or no place.
    """
    (new,) = sample_sound(rng, 1).events
    if any(event.kind == new.kind or (event.pitch and event.pitch == new.pitch) for event in sound.events):
        return None
    first, last = sound.events[0], sound.events[-1]
    end = last.start + last.seconds + GAP
    if end + new.seconds + MARGIN <= SAMPLES / RATE:
        return replace(sound, events=(*sound.events, replace(new, start=end)))
    if MARGIN + new.seconds + GAP <= first.start:
        return replace(sound, events=(replace(new, start=MARGIN), *sound.events))
    return None


def reordered(sound: Sound, rng: np.random.Generator) -> Sound | None:
    """Exchange the first event and the last one.

    Args:
        sound: The sound to damage.
        rng: Not used; all defects have the same arguments.

    Returns:
        The damaged sound; None for a single event.
    """
    if len(sound.events) < 2:
        return None
    first, *middle, last = sound.events
    shift = last.seconds - first.seconds
    moved = [replace(event, start=event.start + shift) for event in middle]
    end = last.start + last.seconds - first.seconds
    return replace(sound, events=(replace(last, start=first.start), *moved, replace(first, start=end)))


def changed(name: str) -> Put:
    """Make a defect in which one event gets another value of an attribute.

    Args:
        name: `kind`, `pitch`, `timbre` or `loudness`. Kinds change among those with a pitch.

    Returns:
        A function of a sound and a random generator. It returns None if no event has the attribute, or if two events
        would then have the same kind and pitch.
    """
    kinds = KINDS if name == "loudness" else TONAL
    values = {"kind": TONAL, "pitch": tuple(PITCHES), "timbre": TIMBRES, "loudness": tuple(LOUDNESS)}[name]

    def put(sound: Sound, rng: np.random.Generator) -> Sound | None:
        able = [i for i, event in enumerate(sound.events) if event.kind in kinds]
        if not able:
            return None
        i = int(rng.choice(able))
        event = sound.events[i]
        value = str(rng.choice([other for other in values if other != getattr(event, name)]))
        new = _with(event, name, value, rng)
        others = [(other.kind, other.pitch) for k, other in enumerate(sound.events) if k != i]
        if (new.kind, new.pitch) in others:
            return None
        return replace(sound, events=(*sound.events[:i], new, *sound.events[i + 1 :]))

    return put


def _with(event: Event, name: str, value: str, rng: np.random.Generator) -> Event:
    if name == "kind":
        return replace(event, kind=value)
    if name == "pitch":
        return replace(event, pitch=value, hertz=float(rng.uniform(*PITCHES[value])))
    if name == "timbre":
        return replace(event, timbre=value)
    return replace(event, loudness=value, level=LOUDNESS[value])


DEFECTS: dict[str, tuple[Put, str]] = {
    "event removed": (removed, "missing"),
    "event added": (added, "extra"),
    "order turned round": (reordered, "wrong order"),
    "kind changed": (changed("kind"), "wrong kind"),
    "pitch changed": (changed("pitch"), "wrong pitch"),
    "timbre changed": (changed("timbre"), "wrong timbre"),
    "loudness changed": (changed("loudness"), "wrong loudness"),
}
"""By defect: the function that puts it in (it returns None if the sound cannot have it), and the word that names it."""
