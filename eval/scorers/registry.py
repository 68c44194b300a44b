"""Scorers by name. Each is imported when it is asked for: some bring heavy libraries."""

from collections.abc import Callable

from eval.scorers.contract import Scorer


def names() -> list[str]:
    """The names of all scorers, sorted."""
    return sorted(_SCORERS)


def scorer(name: str, device: str = "cpu") -> Scorer:
    """A scorer ready to score; `device` is for those that work on tensors. `ValueError` for a name there is not."""
    if name not in _SCORERS:
        raise ValueError(f"no scorer {name!r}; there are: {', '.join(names())}")
    return _SCORERS[name](device)


def _binding(_: str) -> Scorer:
    from eval.scorers.binding.scorer import Binding

    return Binding()


def _contrast(_: str) -> Scorer:
    from eval.scorers.contrast import Contrast

    return Contrast()


def _msssim_diversity(device: str) -> Scorer:
    from eval.scorers.msssim_diversity import MsSsimDiversity

    return MsSsimDiversity(device)


def _sharpness(_: str) -> Scorer:
    from eval.scorers.sharpness import Sharpness

    return Sharpness()


_SCORERS: dict[str, Callable[[str], Scorer]] = {
    "binding": _binding,
    "contrast": _contrast,
    "msssim_diversity": _msssim_diversity,
    "sharpness": _sharpness,
}
