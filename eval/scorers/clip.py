"""CLIPScore: the cosine of an image's and its prompt's CLIP features.

Hessel et al., "CLIPScore: a reference-free evaluation metric for image captioning", EMNLP 2021, without their factor of
2.5 and their cut at 0, as text-to-image papers report it: about 0.26 for SDXL with ViT-L/14, in -1..1.

HPS v2.1 (Wu et al., "Human Preference Score v2", 2023) is the same cosine, of a ViT-H/14 that was trained on people's
choices, with pictures that are not square padded, not cropped: about 0.27 for SDXL.
"""

from collections.abc import Sequence

from skewbench.eval.scorers.clip_tower import ClipTower
from skewbench.eval.scorers.contract import Images, Score, check_batch

NO_PROMPT = Score(None, "the prompt is empty")


class ClipScore:
    """Cosine of image and prompt. An empty prompt has no score.

    Args:
        tower: The CLIP.
        name: The scorer's name, and that of its metric: one for each CLIP, since values of two do not compare.
        needs: Names of the tower's weights; () where they come with the package.
    """

    version = 1

    def __init__(self, tower: ClipTower, name: str = "clip_score", needs: tuple[str, ...] = ()) -> None:
        self.name = name
        self.metrics: tuple[str, ...] = (name,)
        self.needs = needs
        self._tower = tower

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        if not prompts:
            return {self.name: []}
        cosines = (self._tower.images(images) * self._tower.texts(prompts)).sum(dim=1)
        pairs = zip(cosines.tolist(), prompts, strict=True)
        return {self.name: [Score(cosine) if prompt.strip() else NO_PROMPT for cosine, prompt in pairs]}
