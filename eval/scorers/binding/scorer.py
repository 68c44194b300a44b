"""The binding scorer: does a picture of a scene show what its prompt states, and on the right objects?"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from skewbench.eval.scenes.captions import CaptionMeaning
from skewbench.eval.scorers.binding.describe import describe
from skewbench.eval.scorers.binding.facts import binding, facts, leak, part
from skewbench.eval.scorers.binding.match import match
from skewbench.eval.scorers.binding.prompt import read
from skewbench.eval.scorers.contract import Images, Score, check_batch

_PARTS = ("presence", "colour", "texture", "relation")


class Binding:
    """Exact scores of scenes, from the pixels alone.

    `binding`: share of what the prompt states (presence, colour, texture, size, relation, background) that is so, in
    0..1; an unrequested object counts as one wrong statement more. `binding_<part>`: the share of one kind. `leak`:
    share of the found objects' attributes that belong to another object of the prompt; less is better. Prompts outside
    of the scene grammar, and parts that a prompt does not state, have no value.
    """

    name = "binding"
    version = 1
    metrics: tuple[str, ...] = ("binding", *(f"binding_{kind}" for kind in _PARTS), "leak")
    needs: tuple[str, ...] = ()

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        rows = [self._one(image, prompt) for image, prompt in zip(images, prompts, strict=True)]
        return {metric: [row[metric] for row in rows] for metric in self.metrics}

    def _one(self, image: UInt8[np.ndarray, "h w 3"], prompt: str) -> dict[str, Score]:
        meaning = read(prompt)
        if isinstance(meaning, str):
            return dict.fromkeys(self.metrics, Score(None, meaning))
        return score_scene(image, meaning)


def score_scene(image: UInt8[np.ndarray, "h w 3"], meaning: CaptionMeaning) -> dict[str, Score]:
    """All metrics of one image."""
    seen = describe(image)
    matching = match(meaning, seen)
    stated = facts(meaning, seen, matching)
    return {
        "binding": binding(stated, extra=len(seen.objects) - len(matching)),
        **{f"binding_{kind}": part(stated, kind) for kind in _PARTS},
        "leak": leak(meaning, seen, matching),
    }
