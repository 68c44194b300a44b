"""Names what is wrong with a sound, given a complete description of what it should be."""

from skewbench.eval.sound_binding.describe import HeardEvent
from skewbench.eval.sound_binding.match import match
from skewbench.eval.sounds.captions import CaptionMeaning


def diagnose(meaning: CaptionMeaning, heard: list[HeardEvent]) -> set[str]:
    """Name the defects of a sound.

    Args:
        meaning: What the sound should be.
        heard: Its events.

    Returns:
        Some of `missing`, `extra`, `wrong kind`, `wrong pitch`, `wrong timbre`, `wrong loudness`, `wrong order`.
    """
    matching = match(meaning, heard)
    words = set()
    if len(matching) < len(meaning.events):
        words.add("missing")
    if len(matching) < len(heard):
        words.add("extra")
    for i, j in matching.items():
        for name in ("kind", "pitch", "timbre", "loudness"):
            stated = getattr(meaning.events[i], name)
            if stated is not None and getattr(heard[j], name) not in (None, stated):
                words.add(f"wrong {name}")
    order = [matching[i] for i in sorted(matching)]
    if meaning.ordered and order != sorted(order):
        words.add("wrong order")
    return words
