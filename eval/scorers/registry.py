"""Scorers by name. Each is imported when it is asked for: some bring heavy libraries."""

from importlib import import_module

from eval.scorers.contract import GroupScorer, ImageScorer, Scorer

_SCORERS = {
    "binding": ("eval.scorers.binding.scorer", "Binding"),
    "contrast": ("eval.scorers.contrast", "Contrast"),
    "msssim_diversity": ("eval.scorers.msssim_diversity", "MsSsimDiversity"),
    "sharpness": ("eval.scorers.sharpness", "Sharpness"),
}


def names() -> list[str]:
    """The names of all scorers, sorted."""
    return sorted(_SCORERS)


def scorer(name: str) -> Scorer:
    """A scorer ready to score. Raises `ValueError` for a name that does not exist."""
    if name not in _SCORERS:
        raise ValueError(f"no scorer {name!r}; there are: {', '.join(names())}")
    module, attribute = _SCORERS[name]
    made = getattr(import_module(module), attribute)()
    if not isinstance(made, ImageScorer | GroupScorer):
        raise TypeError(f"scorer {name!r} has neither score nor score_group")
    return made
