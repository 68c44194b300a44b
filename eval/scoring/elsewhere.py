"""Scorers that compute in the process of their environment, with the methods that their unit needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import GroupScore, Score, Scorer, check_batch

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from skewbench.eval.environments.process import EnvironmentProcess
    from skewbench.vocabulary.metrics import Unit


def elsewhere(name: str, unit: Unit, process: EnvironmentProcess) -> Scorer:
    """Make a scorer whose methods are called in a process.

    Args:
        name: Name of the scorer.
        unit: Its unit.
        process: The process of its environment.
    """
    if unit == "sample":
        return _Samples(name, process)
    return _Groups(name, process) if unit == "prompt" else _Sets(name, process)


class _Elsewhere:
    def __init__(self, name: str, process: EnvironmentProcess) -> None:
        self._name, self._process = name, process

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._process.call(self._name, method, *arguments)


class _Samples(_Elsewhere):
    def score(self, samples: Any, prompts: Sequence[str], /) -> dict[str, list[Score]]:
        check_batch(samples, prompts)
        scores: dict[str, list[Score]] = self._call("score", samples, list(prompts))
        return scores


class _Groups(_Elsewhere):
    def score_group(self, samples: Any, prompt: str | None, /) -> dict[str, GroupScore]:
        scores: dict[str, GroupScore] = self._call("score_group", samples, prompt)
        return scores


class _Sets(_Elsewhere):
    def features(self, samples: Sequence[Any], /) -> Float[np.ndarray, "n d"]:
        found: np.ndarray = self._call("features", list(samples))
        return found

    def compare(self, made: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"]) -> dict[str, GroupScore]:
        scores: dict[str, GroupScore] = self._call("compare", made, real)
        return scores
