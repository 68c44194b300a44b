"""Binding: the share of a prompt's statements that an image of a scene shows on the right objects, from its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Better, Metric

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

    from skewbench.eval.scoring.images import Images


def _share(name: str, label: str, meaning: str, better: Better, **others: Any) -> Metric:
    bounds: dict[str, Any] = {"low": 0.0, "high": 1.0, "grows_with_n": False}
    return Metric(name=name, label=label, meaning=meaning, better=better, **bounds, **others)


METRICS = (
    _share("binding", "Binding", "share of the prompt's statements that the image shows, 0 to 1", "higher", rank=10),
    _share("binding_presence", "Binding: presence", "share of the prompt's objects that are in the image", "higher"),
    _share("binding_colour", "Binding: colour", "share of the prompt's colours on the right objects", "higher"),
    _share("binding_texture", "Binding: texture", "share of the prompt's textures on the right objects", "higher"),
    _share("binding_relation", "Binding: relation", "share of the prompt's spatial relations that hold", "higher"),
    _share(
        "leak",
        "Leak",
        "share of attributes that belong to another object of the prompt; less is better",
        "lower",
        may_be_absent=True,  # without a detected object, nothing can leak
    ),
)


@scorer(name="binding", version=1, unit="sample", medium="image", metrics=METRICS)
class Binding:
    """Exact scores of scenes.

    `binding`: share of the prompt's statements (presence, colour, texture, size, relation, background) that hold, in
    0..1; an unrequested object counts as one wrong statement more. `binding_<part>`: the share of one kind. `leak`:
    share of the found objects' attributes that belong to another object of the prompt. Prompts outside of the scene
    grammar, and parts that a prompt does not state, have no value.
    """

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        rows = [self._one(image, prompt) for image, prompt in zip(images, prompts, strict=True)]
        return {metric.name: [row[metric.name] for row in rows] for metric in METRICS}

    def _one(self, image: UInt8[np.ndarray, "h w 3"], prompt: str) -> dict[str, Score]:
        from skewbench.eval.binding.prompt import read
        from skewbench.eval.binding.scores import score_scene

        meaning = read(prompt)
        if isinstance(meaning, str):
            return {metric.name: Score(None, meaning) for metric in METRICS}
        return score_scene(image, meaning)
