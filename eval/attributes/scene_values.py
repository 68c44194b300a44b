"""What a caption of a scene leaves open, and the value that an image has there, from the pixels.

Captions may leave out an object's size, texture or colour, the background, and always where an object is. A caption
without an object, such as `a picture`, leaves open all of the largest object. Positions are the nine fields of the
frame: three rows of three.
"""

import re
from dataclasses import dataclass

from skewbench.eval.binding.describe import Seen, SeenObject
from skewbench.eval.binding.match import match
from skewbench.eval.scenes.captions import WORDS, CaptionMeaning, ObjectPhrase, parse_caption
from skewbench.eval.scenes.vocabulary import BACKGROUNDS, COLOURS, SHAPES, SIZE, SIZES, TEXTURES

ATTRIBUTES = ("colour", "shape", "texture", "size", "layout", "background")
FIELDS = 3
"""Rows, and columns, of the frame's fields."""


_OBJECT = re.compile(
    rf"\ban? (?:({'|'.join(SIZES)}) )?(?:({'|'.join(TEXTURES)}) )?(?:({'|'.join(COLOURS)}) )?({'|'.join(SHAPES)})\b"
)
_BACKGROUND = re.compile(rf"\bon an? ({'|'.join(BACKGROUNDS)}) background\b")


@dataclass(frozen=True)
class OpenCaption:
    """What a caption states, and by attribute the phrases that leave it open.

    `meaning`: objects in order, of which a colour may be left out; `largest`: whether the caption names no object, so
    that the largest one counts.
    """

    meaning: CaptionMeaning
    largest: bool

    def open_phrases(self, attribute: str) -> list[int]:
        """List the phrases that leave an attribute open; for the background, one that stands for the image.

        Args:
            attribute: One of `ATTRIBUTES`.
        """
        if attribute == "background":
            return [0] if self.meaning.background is None else []
        if self.largest:
            return [0]
        stated = (None if attribute == "layout" else getattr(phrase, attribute) for phrase in self.meaning.objects)
        return [index for index, value in enumerate(stated) if value is None]


def read_open(prompt: str) -> OpenCaption | str:
    """Parse a caption that may leave out colours, or every object.

    Args:
        prompt: Any text.

    Returns:
        What it states; or the reason for people why it is outside of the scene grammar.
    """
    words = re.findall(r"[^\s,.]+", prompt.lower())
    if not words:
        return "prompt is outside of the scene grammar: it is empty"
    strange = next((word for word in words if word not in WORDS), None)
    if strange is not None:
        return f"prompt is outside of the scene grammar: {strange!r}"
    found = list(_OBJECT.finditer(prompt.lower()))
    ground = _BACKGROUND.search(prompt.lower())
    full = parse_caption(prompt)
    if full is None or len(full.objects) != len(found):  # it leaves out a colour: relations are not read then
        objects = tuple(ObjectPhrase(size=m[1], texture=m[2], colour=m[3], shape=m[4]) for m in found)
        full = CaptionMeaning(objects, (), ground[1] if ground else None)
    if sum(word in SHAPES for word in words) != len(found):
        return "prompt is outside of the scene grammar: only a part of it can be read"
    return OpenCaption(full, not found)


def values_of(caption: OpenCaption, seen: Seen, attribute: str) -> list[str | None]:
    """Return the value that an image has wherever its caption leaves an attribute open.

    Args:
        caption: What the caption states.
        seen: What is in the image.
        attribute: One of `ATTRIBUTES`.

    Returns:
        One value per phrase of `open_phrases`; None where the object is absent or its attribute is unclear.
    """
    phrases = caption.open_phrases(attribute)
    if attribute == "background":
        return [seen.background] * len(phrases)
    if caption.largest:
        things: list[SeenObject | None] = [seen.objects[0] if seen.objects else None]
    else:
        matching = match(caption.meaning, seen)
        things = [seen.objects[matching[index]] if index in matching else None for index in phrases]
    return [None if thing is None else _value(thing, attribute) for thing in things]


def _value(thing: SeenObject, attribute: str) -> str | None:
    if attribute == "layout":
        column, row = (min(FIELDS - 1, max(0, int(FIELDS * place / SIZE))) for place in (thing.x, thing.y))
        return f"row {row}, column {column}"
    value: str | None = getattr(thing, attribute)
    return value
