"""Makes captions that are almost right: with one attribute changed, so that they are false of their scene.

Every caption names each object of its scene, no two objects share colour and shape, and the relations exclude each
other; so a changed caption is false of the scene, whatever the caption leaves out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from skewbench.eval.scenes.captions import RELATION_WORDS
from skewbench.eval.scenes.vocabulary import BACKGROUNDS, COLOURS, SHAPES, SIZES, TEXTURES

_WORDS: dict[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "texture": TEXTURES,
    "size": tuple(SIZES),
    "background": BACKGROUNDS,
}
KINDS = (*_WORDS, "relation", "swap")
"""Kinds of changes: one word of an attribute, one relation, or the colours of two objects swapped."""

_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words}
_WORD = re.compile(rf"\b({'|'.join(_KIND_OF)})\b")
_PHRASES = {phrase: i for phrases in RELATION_WORDS.values() for i, phrase in enumerate(phrases)}
_RELATION = re.compile(rf"\b({'|'.join(sorted(_PHRASES, key=len, reverse=True))})\b")
_ARTICLE = re.compile(r"\ban? (?=(\w))")


@dataclass(frozen=True)
class Change:
    """A changed caption and the kind of change."""

    kind: str
    text: str


def changes(text: str) -> list[Change]:
    """List all captions that differ in one attribute that a caption states.

    Args:
        text: A caption of the grammar, in lower case.

    Returns:
        Changed captions without duplicates, with correct articles.
    """
    return list(dict.fromkeys(Change(kind, _with_articles(changed)) for kind, changed in _changes(text)))


def _changes(text: str) -> Iterator[tuple[str, str]]:
    found = list(_WORD.finditer(text))
    for match in found:
        kind = _KIND_OF[match[0]]
        for word in _others(_WORDS[kind], match[0]):
            yield kind, _put(text, [(match, word)])
    for match in _RELATION.finditer(text):
        same_style = [phrases[_PHRASES[match[0]]] for phrases in RELATION_WORDS.values()]
        for phrase in _others(dict.fromkeys(same_style), match[0]):
            yield "relation", _put(text, [(match, phrase)])
    colours, shapes = ([match for match in found if _KIND_OF[match[0]] == kind] for kind in ("colour", "shape"))
    for (one, shape), (other, other_shape) in combinations(zip(colours, shapes, strict=False), 2):
        if (
            one[0] != other[0] and shape[0] != other_shape[0]
        ):  # with equal shapes, the swap would give the same two objects
            yield "swap", _put(text, [(one, other[0]), (other, one[0])])


def _others(words: Iterable[str], word: str) -> list[str]:
    return [other for other in words if other != word]


def _put(text: str, replacements: list[tuple[re.Match[str], str]]) -> str:
    for match, word in reversed(replacements):
        text = text[: match.start()] + word + text[match.end() :]
    return text


def _with_articles(text: str) -> str:
    return _ARTICLE.sub(lambda match: "an " if match[1] in "aeiou" else "a ", text)
