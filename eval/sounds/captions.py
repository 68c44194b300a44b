"""Writes true captions of sounds in several phrasings, and parses them strictly.

A caption states nothing false, but it may leave out loudness, timbre and order. Only what it states is scored.
"""

import itertools
import re
from dataclasses import dataclass

import numpy as np

from skewbench.eval.sounds.sound import Event, Sound
from skewbench.eval.sounds.vocabulary import KINDS, LOUDNESS, PITCHES, TIMBRES

SAY_LOUDNESS, SAY_TIMBRE, SAY_ORDER = 0.6, 0.75, 0.8
"""Chance that a caption states each of these."""

_OPENINGS = ("", "", "the sound of ", "a recording of ")
_THEN = (" then ", ", then ", " followed by ", " before ")
_AFTER = " after "
WORDS = sorted(
    {word for words in (*KINDS, *PITCHES, *TIMBRES, *LOUDNESS) for word in words.split()}
    | {"a", "after", "and", "before", "by", "followed", "of", "recording", "sound", "the", "then"}
)
"""Every word of the grammar: the vocabulary of the bundled model's tokenizer."""


@dataclass(frozen=True)
class EventPhrase:
    """The statements of a caption about one event; None for omitted attributes."""

    kind: str
    pitch: str | None
    timbre: str | None
    loudness: str | None


@dataclass(frozen=True)
class CaptionMeaning:
    """The statements of a caption. `ordered`: whether it states that the events follow each other as listed."""

    events: tuple[EventPhrase, ...]
    ordered: bool


def caption(sound: Sound, rng: np.random.Generator) -> str:
    """Write a random true caption of a sound.

    Args:
        sound: The sound.
        rng: Random generator for phrasing and omissions.

    Returns:
        A caption that `read` can read. It names the kind of each event, and its pitch if it has one.
    """
    phrases = [_phrase(event, rng) for event in sound.events]
    opening = str(rng.choice(_OPENINGS))
    if len(phrases) == 1:
        return opening + phrases[0]
    if rng.random() >= SAY_ORDER:
        order = [phrases[int(i)] for i in rng.permutation(len(phrases))]
        return f"{opening}{', '.join(order[:-1])} and {order[-1]}"
    if len(phrases) == 2 and rng.random() < 0.2:
        return f"{opening}{phrases[1]}{_AFTER}{phrases[0]}"
    return opening + "".join(phrase + link for phrase, link in zip(phrases, _links(len(phrases) - 1, rng), strict=True))


def _links(count: int, rng: np.random.Generator) -> list[str]:
    return [*(str(rng.choice(_THEN)) for _ in range(count)), ""]


def _phrase(event: Event, rng: np.random.Generator) -> str:
    words = [
        *([event.loudness] if rng.random() < SAY_LOUDNESS else []),
        *([event.timbre] if event.timbre and rng.random() < SAY_TIMBRE else []),
        *([event.pitch] if event.pitch else []),
        event.kind,
    ]
    return f"a {' '.join(words)}"


_EVENT = rf"a (?:({'|'.join(LOUDNESS)}) )?(?:({'|'.join(TIMBRES)}) )?(?:({'|'.join(PITCHES)}) )?({'|'.join(KINDS)})"
_LINK = "|".join(link for link in (*_THEN, _AFTER, ", ", " and "))
_WHOLE = re.compile(rf"(?:{'|'.join(o for o in _OPENINGS if o)})?{_EVENT}(?:(?:{_LINK}){_EVENT})*\.?")


def read(prompt: str) -> CaptionMeaning | str:
    """Parse a prompt completely, or explain why it cannot be parsed.

    Args:
        prompt: Any text.

    Returns:
        The meaning, with events in the order of time where the prompt states one; or the reason for people.
    """
    text = " ".join(prompt.lower().split())
    strange = [word for word in re.findall(r"[^\s,.]+", text) if word not in WORDS]
    if strange:
        return f"prompt is outside the sound grammar: {strange[0]!r}"
    if not _WHOLE.fullmatch(text):
        return "prompt is outside the sound grammar: only a part of it can be read"
    found = list(re.finditer(_EVENT, text))
    events = [EventPhrase(kind=m[4], pitch=m[3], timbre=m[2], loudness=m[1]) for m in found]
    links = {text[a.end() : b.start()] for a, b in itertools.pairwise(found)}
    if _AFTER in links and links != {_AFTER}:
        return "prompt is outside the sound grammar: 'after' beside another order"
    ordered = bool(links) and not links & {", ", " and "}
    if links & {", ", " and "} and links - {", ", " and "}:
        return "prompt is outside the sound grammar: an order of some events only"
    return CaptionMeaning(tuple(reversed(events) if _AFTER in links else events), ordered)
