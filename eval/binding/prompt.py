"""Parses prompts strictly: a prompt beyond the grammar gets no score."""

import re

from skewbench.eval.scenes.captions import WORDS, CaptionMeaning, parse_caption
from skewbench.eval.scenes.vocabulary import BACKGROUNDS, SHAPES

RELATION_WORDS = ("left", "right", "above", "over", "below", "under", "inside")


def read(prompt: str) -> CaptionMeaning | str:
    """Parse a prompt completely, or explain why it cannot be parsed.

    Args:
        prompt: Any text.

    Returns:
        The meaning, or the reason for people: an unknown word, no object, or a text that can only be read in part.
    """
    words = re.findall(r"[^\s,.]+", prompt.lower())
    strange = [word for word in words if word not in WORDS]
    if strange:
        return f"prompt is outside the scene grammar: {strange[0]!r}"
    meaning = parse_caption(prompt)
    if meaning is None:
        return "prompt is outside the scene grammar: no object in it"
    if (
        sum(word in SHAPES for word in words) != len(meaning.objects)
        or sum(word in RELATION_WORDS for word in words) != len(meaning.relations)
        or sum(word == "background" for word in words) != (meaning.background in BACKGROUNDS)
    ):
        return "prompt is outside the scene grammar: only a part of it can be read"
    return meaning
