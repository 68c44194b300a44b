"""Scorers by name. Each is imported when it is asked for: some bring heavy libraries."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from eval.scorers.contract import Scorer
from eval.weights import path_of

if TYPE_CHECKING:
    from eval.scorers.clip_tower import ClipTower


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
        from eval.scorers.clip_tower import ClipTower

        if weights not in self._towers:
            self._towers[weights] = ClipTower(_CLIPS[weights], partial(path_of, weights), self.device)
        return self._towers[weights]


_CLIPS = {
    "clip-vit-b-32": "ViT-B-32-quickgelu",  # OpenAI's CLIPs have the quick GELU; open_clip's plain names do not
    "clip-vit-l-14": "ViT-L-14-quickgelu",
    "clip-vit-h-14": "ViT-H-14",
}
"""open_clip's names of the architectures."""


def _binding(_: Scorers) -> Scorer:
    from eval.scorers.binding.scorer import Binding

    return Binding()


def _clip_score(name: str, weights: str, scorers: Scorers) -> Scorer:
    from eval.scorers.clip import ClipScore

    return ClipScore(scorers.tower(weights), name, (weights,))


def _contrast(_: Scorers) -> Scorer:
    from eval.scorers.contrast import Contrast

    return Contrast()


def _msssim_diversity(scorers: Scorers) -> Scorer:
    from eval.scorers.msssim_diversity import MsSsimDiversity

    return MsSsimDiversity(scorers.device)


def _sharpness(_: Scorers) -> Scorer:
    from eval.scorers.sharpness import Sharpness

    return Sharpness()


_SCORERS: dict[str, Callable[[Scorers], Scorer]] = {
    "binding": _binding,
    "clip_score": partial(_clip_score, "clip_score", "clip-vit-l-14"),
    "clip_score_b32": partial(_clip_score, "clip_score_b32", "clip-vit-b-32"),
    "clip_score_h14": partial(_clip_score, "clip_score_h14", "clip-vit-h-14"),
    "contrast": _contrast,
    "msssim_diversity": _msssim_diversity,
    "sharpness": _sharpness,
}
