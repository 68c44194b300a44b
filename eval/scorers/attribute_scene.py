"""Attribute diversity of scenes: how often a prompt's images differ in what its caption leaves open, by the pixels.

Two scorers: `attribute_scene` of what captions of scenes may leave out, and `attribute_scene_named` of colour and
shape, which only captions beyond those of `prompts: {source: scenes}` leave open: `a circle`, or `a picture`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.attributes.scene_values import OpenCaption
    from skewbench.eval.binding.describe import Seen
    from skewbench.eval.scoring.images import Images

LEFT_OUT = {
    "texture": "the texture of an object",
    "size": "the size of an object",
    "layout": "the place of an object, of nine",
    "background": "the background",
}
"""Attributes that captions of scenes may leave out, in words."""
NAMED = {"colour": "the colour of an object", "shape": "the shape of the largest object"}
"""Attributes that captions of scenes always name, in words."""


class AttributeScene:
    """Share of the pairs of a prompt's images that differ in an attribute that the caption leaves open.

    The share is the mean over the objects whose attribute is left open. Images in which such an object is absent, or
    its attribute unclear, are left out of that object's pairs.

    Args:
        attributes: Names of attributes.
    """

    def __init__(self, attributes: Sequence[str]) -> None:
        self._attributes = tuple(attributes)

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        from skewbench.eval.attributes.scene_values import read_open
        from skewbench.eval.binding.describe import describe
        from skewbench.eval.scoring.images import is_blank

        usable = [image for image in images if not is_blank(image)]
        caption = read_open(prompt or "")
        if isinstance(caption, str):
            return {f"attribute_scene_{name}": GroupScore(None, caption, n=len(usable)) for name in self._attributes}
        seen = [describe(image) for image in usable]
        return {f"attribute_scene_{name}": _score(caption, seen, name) for name in self._attributes}


def _score(caption: OpenCaption, seen: Sequence[Seen], attribute: str) -> GroupScore:
    from skewbench.eval.attributes.disagreement import share_that_differs
    from skewbench.eval.attributes.scene_values import values_of

    if not caption.open_phrases(attribute):
        return GroupScore(None, f"the caption leaves no {attribute} open", n=len(seen))
    by_image = [values_of(caption, one, attribute) for one in seen]
    known = sum(any(value is not None for value in values) for values in by_image)
    shares = [share for values in zip(*by_image, strict=True) if (share := share_that_differs(values)) is not None]
    if not shares:
        return GroupScore(None, f"{known} images show the {attribute} that is left open; pairs need two", n=known)
    return GroupScore(sum(shares) / len(shares), n=known)


def _declare(name: str, attributes: dict[str, str]) -> None:
    metrics = [
        Metric(
            name=f"attribute_scene_{attribute}",
            label=f"{attribute.capitalize()} diversity",
            meaning=f"share of pairs of a prompt's images that differ in {words}, where the caption leaves it open",
            better="higher",
            low=0.0,
            high=1.0,
            grows_with_n=False,
            may_be_absent=True,  # where the caption states it
        )
        for attribute, words in attributes.items()
    ]
    described = f"{SET}; pairs of images, by what is left open, as the pixels show it"

    @scorer(name=name, version=1, unit="prompt", medium="image", set=described, metrics=metrics)
    def made() -> AttributeScene:
        return AttributeScene(tuple(attributes))


_declare("attribute_scene", LEFT_OUT)
_declare("attribute_scene_named", NAMED)
