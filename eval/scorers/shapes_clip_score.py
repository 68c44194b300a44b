"""`shapes_clip_score`: CLIPScore's computation with the bundled CLIP, which was trained only on scenes and captions.

Its values do not compare with those of any other CLIP, hence the name. A prompt that says more than the grammar of the
scenes can say has no score: the model never saw its words, and a number would be of the rest of the prompt only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scorers.clip_score import ClipScore
from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

NAME = "shapes_clip_score"
MOST_OBJECTS = 3
"""Maximum number of objects, as in the scenes; more would not fit into the model's context."""


@scorer(
    name=NAME,
    version=2,  # 1 was of earlier weights
    unit="sample",
    medium="image",
    metrics=[
        Metric(
            name=NAME,
            label="shapes-clip score",
            meaning="similarity of image and prompt for the bundled CLIP",
            better="higher",
            low=-1.0,
            high=1.0,
            grows_with_n=False,
        )
    ],
)
class ShapesClipScore:
    """Cosine of image and caption in the features of `shapes-clip`; None for prompts outside of the grammar."""

    def __init__(self, scorers: Scorers) -> None:
        self._scorer = ClipScore(scorers.tower("shapes-clip"), NAME)

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        reasons = [foreign(prompt) for prompt in prompts]
        rows = [i for i, reason in enumerate(reasons) if reason is None]
        scored = iter(self._scorer.score(images[rows], [prompts[i] for i in rows])[NAME])
        return {NAME: [next(scored) if reason is None else Score(None, reason) for reason in reasons]}


def foreign(prompt: str) -> str | None:
    """Explain why a prompt is outside the grammar of the scenes.

    Args:
        prompt: Any text.

    Returns:
        The reason: an unknown word, no object, or too many objects. None for a prompt inside the grammar.
    """
    from skewbench.eval.scenes.captions import WORDS, parse_caption

    words = re.findall(r"[^\s,.]+", prompt.lower())
    unknown = next((word for word in words if word not in WORDS), None)
    if unknown is not None:
        return f"the word {unknown!r} is not in the grammar of the scenes, which shapes-clip was trained on"
    meaning = parse_caption(prompt)
    if meaning is None:
        return "the prompt names no object of the scenes' grammar, which shapes-clip was trained on"
    if len(meaning.objects) > MOST_OBJECTS:
        return f"the prompt names {len(meaning.objects)} objects; shapes-clip supports at most {MOST_OBJECTS}"
    return None
