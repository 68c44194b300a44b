"""Scorers by name. Each is imported when it is asked for: some bring heavy libraries."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from skewbench.eval.scorers import shapes_clip
from skewbench.eval.scorers.contract import Scorer
from skewbench.eval.weights import path_of

if TYPE_CHECKING:
    from skewbench.eval.scorers.clip_tower import ClipTower


OF_CELLS = frozenset({"distribution"})
"""Scorers that do a cell at once; the others do a shard."""


def names() -> list[str]:
    """The names of all scorers, sorted."""
    return sorted(_SCORERS)


def scorer(name: str, device: str = "cpu") -> Scorer:
    """A scorer; `device` is for those that work on tensors. `ValueError` for a name there is not."""
    return Scorers(device).get(name)


class Scorers:
    """The scorers of one process: each is made once, and those of one CLIP share it, and with it its features."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._made: dict[str, Scorer] = {}
        self._towers: dict[str, ClipTower] = {}

    def get(self, name: str) -> Scorer:
        """A scorer by name. `ValueError` for a name there is not."""
        if name not in _SCORERS:
            raise ValueError(f"no scorer {name!r}; there are: {', '.join(names())}")
        if name not in self._made:
            self._made[name] = _SCORERS[name](self)
        return self._made[name]

    def tower(self, weights: str) -> "ClipTower":
        """The CLIP of some weights."""
        from skewbench.eval.scorers.clip_tower import ClipTower

        if weights not in self._towers:
            if weights == _BUNDLED:
                self._towers[weights] = ClipTower(shapes_clip.WEIGHTS, device=self.device)
            else:
                model, resize = _CLIPS[weights]
                self._towers[weights] = ClipTower(model, partial(path_of, weights), self.device, resize)
        return self._towers[weights]


_CLIPS: dict[str, tuple[str, Literal["shortest", "longest"]]] = {
    "clip-vit-b-32": ("ViT-B-32-quickgelu", "shortest"),  # OpenAI's have the quick GELU; open_clip's plain names do not
    "clip-vit-l-14": ("ViT-L-14-quickgelu", "shortest"),
    "clip-vit-h-14": ("ViT-H-14", "shortest"),
    "hps-v2.1": ("ViT-H-14", "longest"),
}
"""open_clip's names of the architectures, and how each wants its pictures resized."""
_BUNDLED = "shapes-clip"
"""The CLIP that comes with the package."""


def _aesthetic(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.aesthetic import Aesthetic

    needs = ("clip-vit-l-14", "aesthetic-v2")
    return Aesthetic(scorers.tower(needs[0]), partial(path_of, needs[1]), needs)


def _binding(_: Scorers) -> Scorer:
    from skewbench.eval.scorers.binding.scorer import Binding

    return Binding()


def _clip_score(name: str, weights: str, scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.clip import ClipScore

    return ClipScore(scorers.tower(weights), name, (weights,))


def _contrast(_: Scorers) -> Scorer:
    from skewbench.eval.scorers.contrast import Contrast

    return Contrast()


def _distribution(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.inception import Distribution

    needs = ("inception-2015-12-05", "torch_fidelity")
    return Distribution(partial(path_of, needs[0]), needs, scorers.device)


def _image_reward(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.image_reward import ImageReward

    return ImageReward(partial(path_of, "image-reward-v1"), ("image-reward-v1",), scorers.device)


def _lpips_diversity(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.lpips_diversity import LpipsDiversity

    return LpipsDiversity(partial(path_of, "alexnet"), ("alexnet", "lpips"), scorers.device)


def _msssim_diversity(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.msssim_diversity import MsSsimDiversity

    return MsSsimDiversity(scorers.device)


def _pickscore(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.pickscore import PickScore

    return PickScore(partial(path_of, "pickscore-v1"), ("pickscore-v1",), scorers.device)


def _shapes_clip_diversity(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.shapes_clip.diversity import shapes_clip_diversity

    return shapes_clip_diversity(scorers.tower(_BUNDLED))


def _shapes_clip_score(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.shapes_clip.score import ShapesClipScore

    return ShapesClipScore(scorers.tower(_BUNDLED))


def _sharpness(_: Scorers) -> Scorer:
    from skewbench.eval.scorers.sharpness import Sharpness

    return Sharpness()


def _vendi_score(scorers: Scorers) -> Scorer:
    from skewbench.eval.scorers.shapes_clip.diversity import shapes_clip_vendi

    return shapes_clip_vendi(scorers.tower(_BUNDLED))


_SCORERS: dict[str, Callable[[Scorers], Scorer]] = {
    "aesthetic": _aesthetic,
    "binding": _binding,
    "clip_score": partial(_clip_score, "clip_score", "clip-vit-l-14"),
    "clip_score_b32": partial(_clip_score, "clip_score_b32", "clip-vit-b-32"),
    "clip_score_h14": partial(_clip_score, "clip_score_h14", "clip-vit-h-14"),
    "contrast": _contrast,
    "distribution": _distribution,
    "hps": partial(_clip_score, "hps", "hps-v2.1"),
    "image_reward": _image_reward,
    "lpips_diversity": _lpips_diversity,
    "msssim_diversity": _msssim_diversity,
    "pickscore": _pickscore,
    "shapes_clip_diversity": _shapes_clip_diversity,
    "shapes_clip_score": _shapes_clip_score,
    "sharpness": _sharpness,
    "vendi_score": _vendi_score,
}
