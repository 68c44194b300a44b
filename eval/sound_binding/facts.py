"""The statements of a prompt, and whether a sound shows them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from skewbench.eval.scoring.contract import Score
from skewbench.eval.sound_binding.describe import HeardEvent, describe
from skewbench.eval.sound_binding.match import Matching, match
from skewbench.eval.sounds.captions import CaptionMeaning
from skewbench.eval.sounds.vocabulary import RATE

PARTS = ("presence", "pitch", "timbre", "loudness", "order")


@dataclass(frozen=True)
class Fact:
    """One statement. `part`: a word of `PARTS`."""

    part: str
    holds: bool


def facts(meaning: CaptionMeaning, heard: list[HeardEvent], matching: Matching) -> list[Fact]:
    """List a prompt's statements with whether they hold.

    An absent event fails each statement about it. It is present if its kind is right.

    Args:
        meaning: What the prompt says.
        heard: The events of the sound.
        matching: Of `match`.
    """
    stated = []
    for i, phrase in enumerate(meaning.events):
        event = heard[matching[i]] if i in matching else None
        stated.append(Fact("presence", event is not None and event.kind == phrase.kind))
        attributes = {name: getattr(phrase, name) for name in ("pitch", "timbre", "loudness")}
        stated += [
            Fact(name, event is not None and getattr(event, name) == value)
            for name, value in attributes.items()
            if value is not None
        ]
    if meaning.ordered:
        for a, b in pairwise(range(len(meaning.events))):
            stated.append(Fact("order", a in matching and b in matching and matching[a] < matching[b]))
    return stated


def score_sound(wave: Float[np.ndarray, "n"], meaning: CaptionMeaning, rate: int = RATE) -> dict[str, Score]:
    """Compute all metrics of one sound: `sound_binding`, and `sound_<part>` for each of `PARTS`.

    Args:
        wave: Samples, full scale 1, one channel.
        meaning: What the prompt says.
        rate: Samples a second.

    Returns:
        Scores in 0..1 by metric; None with the reason if the prompt states nothing that the metric is about. An event
        that the prompt does not name counts as one wrong statement more of `sound_binding`.
    """
    heard = describe(wave, rate)
    matching = match(meaning, heard)
    stated = facts(meaning, heard, matching)
    extra = len(heard) - len(matching)
    scores = {"sound_binding": Score(sum(fact.holds for fact in stated) / (len(stated) + extra))}
    for part in PARTS:
        held = [fact.holds for fact in stated if fact.part == part]
        scores[f"sound_{part}"] = (
            Score(sum(held) / len(held)) if held else Score(None, f"the prompt states nothing about {part}")
        )
    return scores
