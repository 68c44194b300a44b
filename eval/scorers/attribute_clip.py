"""Attribute diversity by zero-shot classification: what a prompt's images differ in, for the package's list of prompts.

The list has prompts that leave an attribute open, such as the colour of `a cup`, and its values. CLIP ViT-L/14 gives
each image a probability of each value: a softmax of 100 times the cosines with the values' texts (Radford et al.,
"Learning transferable visual models from natural language supervision", ICML 2021). The score is the mean total
variation distance of the pairs of a prompt's images. In the manner of arXiv 2511.10547, which asks people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.attributes.prompts import OpenAttribute
    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

SCALE = 100.0
"""Inverse temperature of the softmax, which OpenAI's CLIPs were trained to."""
ATTRIBUTES = {
    "colour": "colour",
    "material": "material",
    "kind": "kind, such as the breed of a dog",
    "age": "the age of a person, as it looks",
    "gender": "the gender of a person, as it looks",
    "setting": "the place",
    "weather": "the weather",
    "time_of_day": "the time of day",
    "season": "the season",
    "medium": "the medium, such as photo or painting",
    "viewpoint": "the viewpoint",
    "activity": "what is done",
}
"""Attributes of the list, in words."""


class AttributeClip:
    """The mean total variation distance of the zero-shot posteriors of a prompt's images, by attribute.

    Args:
        tower: The CLIP.
        listed: What the list says of a prompt, by attribute.
    """

    def __init__(self, tower: ClipTower, listed: Callable[[str], dict[str, OpenAttribute]]) -> None:
        self._tower, self._listed = tower, listed

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        from skewbench.eval.attributes.disagreement import mean_total_variation
        from skewbench.eval.scoring.images import is_blank

        rows = [i for i, image in enumerate(images) if not is_blank(image)]
        listed = self._listed(prompt or "")
        if not listed:
            foreign = "the prompt is not in the list of open attributes; use `prompts: {source: attributes}`"
            return {f"attribute_clip_{name}": GroupScore(None, foreign, n=len(rows)) for name in ATTRIBUTES}
        few = GroupScore(None, f"{len(rows)} images that are not blank; pairs need two", n=len(rows))
        scores = {}
        for attribute in ATTRIBUTES:
            score = GroupScore(None, f"the list asks for no {attribute} of this prompt", n=len(rows))
            if attribute in listed:
                score = few
                if len(rows) >= 2:
                    posteriors = self.posteriors(images[rows], listed[attribute])
                    score = GroupScore(mean_total_variation(posteriors.double().numpy()), n=len(rows))
            scores[f"attribute_clip_{attribute}"] = score
        return scores

    def posteriors(self, images: Images, attribute: OpenAttribute) -> Float[Tensor, "n k"]:
        """Compute the probability of each value in each image.

        Args:
            images: n images.
            attribute: The attribute, with k values.

        Returns:
            Probabilities, which add up to 1 in each row; shape (n, k).
        """
        cosines = self._tower.images(images) @ self._tower.texts(attribute.texts).T
        return (SCALE * cosines).softmax(dim=1)


@scorer(
    name="attribute_clip",
    version=1,
    unit="prompt",
    medium="image",
    needs=["clip-vit-l-14"],
    set=f"{SET}; zero-shot classes of CLIP ViT-L/14 by the package's list",
    metrics=[
        Metric(
            name=f"attribute_clip_{attribute}",
            label=f"{attribute.replace('_', ' ').capitalize()} diversity (CLIP)",
            meaning=f"how far a prompt's images differ in {words}, 0 to 1, where the list says that it is open",
            better="higher",
            low=0.0,
            high=1.0,
            grows_with_n=False,
            may_be_absent=True,  # in prompts that the list asks for another attribute of
        )
        for attribute, words in ATTRIBUTES.items()
    ],
)
def attribute_clip(scorers: Scorers) -> AttributeClip:
    """Make the scorer with OpenAI's CLIP ViT-L/14.

    Args:
        scorers: The scorers of the process: the shared CLIP.
    """
    from skewbench.eval.attributes.prompts import attributes_of

    return AttributeClip(scorers.tower("clip-vit-l-14"), attributes_of)
