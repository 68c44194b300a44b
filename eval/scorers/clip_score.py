"""CLIPScore: the cosine of an image's and its prompt's CLIP features.

Hessel et al., "CLIPScore: a reference-free evaluation metric for image captioning", EMNLP 2021, without their factor of
2.5 and their cut at 0, as text-to-image papers report it: about 0.26 for SDXL with ViT-L/14, in -1..1.

HPS v2.1 (Wu et al., "Human Preference Score v2", 2023) is the same cosine, of a ViT-H/14 that was trained on people's
choices, with images that are not square padded, not cropped: about 0.27 for SDXL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import NO_PROMPT, Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers


class ClipScore:
    """Cosine of image and prompt. An empty prompt has no score.

    Args:
        tower: The CLIP.
        name: Name of the metric: one for each CLIP, since values of two are not comparable.
    """

    def __init__(self, tower: ClipTower, name: str = "clip_score") -> None:
        self.name, self._tower = name, tower

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        if not prompts:
            return {self.name: []}
        cosines = (self._tower.images(images) * self._tower.texts(prompts)).sum(dim=1)
        pairs = zip(cosines.tolist(), prompts, strict=True)
        return {self.name: [Score(cosine) if prompt.strip() else NO_PROMPT for cosine, prompt in pairs]}


def _declare(name: str, weights: str, label: str, meaning: str, rank: int | None = None) -> None:
    metric = Metric(
        name=name, label=label, meaning=meaning, better="higher", low=-1.0, high=1.0, grows_with_n=False, rank=rank
    )

    @scorer(name=name, version=1, unit="sample", medium="image", metrics=[metric], needs=[weights])
    def made(scorers: Scorers) -> ClipScore:
        return ClipScore(scorers.tower(weights), name)


_declare("clip_score", "clip-vit-l-14", "CLIPScore", "similarity of image and prompt", rank=40)
_declare("clip_score_b32", "clip-vit-b-32", "CLIPScore B/32", "similarity of image and prompt for CLIP ViT-B/32")
_declare("clip_score_h14", "clip-vit-h-14", "CLIPScore H/14", "similarity of image and prompt for CLIP ViT-H/14")
_declare("hps", "hps-v2.1", "HPS v2.1", "predicted human preference", rank=50)
