"""Proposes settings and orders those that were measured, by Gaussian processes over each knob's strengths.

A trial's error is known from its pairs, and differs between trials: those that stay gain prompts. A Gaussian process
takes these errors, so that neighbours make up for the few prompts of a new trial.

Nothing is kept between rounds: the same measurements and seed give the same proposals, which is what resumes a search.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skewbench.eval.statistics import PairedChange
from skewbench.stability.knobs import Knob
from skewbench.tasks.tune.estimate import Estimate
from skewbench.tasks.tune.space import Space, knob_at, name_of, place_of
from skewbench.tasks.tune.surface import Posterior, posterior, variance_of

_CANDIDATES = 100
"""Random settings of each knob, from which proposals are chosen."""


@dataclass(frozen=True)
class Model:
    """A model of all settings from the trials so far.

    Args:
        space: The search space.
        known: The settings that were measured.
    """

    space: Space
    known: Mapping[Knob, Estimate]

    def propose(self, count: int, seed: int, greedy: bool = False) -> list[Knob]:
        """Propose new settings by Thompson sampling: each is the best setting under one draw from the posterior.

        Args:
            count: Number of settings.
            seed: Of the draws.
            greedy: Whether to propose those with the best expectation instead.

        Returns:
            Different settings, none of which was measured; fewer if the space has no more.
        """
        rng = np.random.default_rng(seed)
        if not self.known:
            return _spread(self.space, count, rng)
        drawn = [knob for name in self.space for knob in _random(self.space, name, _CANDIDATES, rng)]
        candidates = [knob for knob in dict.fromkeys(drawn) if knob not in self.known]
        surfaces = self._surfaces(candidates)
        if greedy:
            return [candidates[at] for at in _order(*surfaces.expected())[:count]]
        found: dict[Knob, None] = {}
        for _ in range(20 * count):
            if len(found) == count or not candidates:
                break
            found.setdefault(candidates[_order(*surfaces.draw(rng))[0]])
        return list(found)

    def best(self, count: int) -> list[Knob]:
        """Select the best of the settings that were measured.

        Those that keep all bounds, with a standard deviation to spare, come first; among them those of highest gain.

        Args:
            count: Number of settings.
        """
        if not self.known:
            return []
        knobs = [knob for name in self.space for knob in self.known if name_of(knob) == name]
        return [knobs[at] for at in _order(*self._surfaces(knobs).expected())[:count]]

    def _surfaces(self, knobs: Sequence[Knob]) -> "_Surfaces":
        """The posterior at some settings, which are in the order of the space."""
        every = list(self.known.values())
        gain = self._surface(knobs, [one.gain for one in every], prior=0.0)
        columns = list(zip(*(one.slack for one in every), strict=True))
        slack = [self._surface(knobs, of, float(np.median([one.change for one in of]))) for of in columns]
        return _Surfaces(gain, slack)

    def _surface(self, knobs: Sequence[Knob], measured: Sequence[PairedChange], prior: float) -> list[Posterior]:
        """The posterior of each knob. Knobs are modelled independently."""
        values = np.array([one.change for one in measured])
        errors = np.nan_to_num(np.array([one.error for one in measured]), nan=float(np.ptp(values)))
        variance = variance_of(values, errors, prior)
        found = []
        for name in self.space:
            own = [at for at, knob in enumerate(self.known) if name_of(knob) == name]
            at = np.array([place_of(knob, self.space) for knob in self.known if name_of(knob) == name])
            places = np.array([place_of(knob, self.space) for knob in knobs if name_of(knob) == name])
            if len(places):
                found.append(posterior(at, values[own], errors[own], places, prior, variance))
        return found


@dataclass(frozen=True)
class _Surfaces:
    """Posteriors of the gain and of each bound's slack, by knob."""

    gain: list[Posterior]
    slack: list[list[Posterior]]

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        def drawn(parts: list[Posterior]) -> np.ndarray:
            return np.concatenate([part.sample(rng) for part in parts])

        return drawn(self.gain), [drawn(parts) for parts in self.slack]

    def expected(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """The mean gain, and the slack less a standard deviation."""
        gain = np.concatenate([part.mean for part in self.gain])
        return gain, [np.concatenate([part.mean - part.sd for part in parts]) for parts in self.slack]


def _order(gain: Float[np.ndarray, "n"], slack: Sequence[Float[np.ndarray, "n"]]) -> list[int]:
    """Positions, the best first. Those that break a bound are last, by the violation in units of the slack's spread."""
    breaks = np.zeros(len(gain))
    for one in slack:
        breaks = np.maximum(breaks, -one / (np.std(one) + np.finfo(float).tiny))
    return [int(at) for at in np.lexsort((-gain, breaks))]


def _spread(space: Space, count: int, rng: np.random.Generator) -> list[Knob]:
    """The first settings: the knobs in turn, and those of a knob spread over its ranges (a Latin hypercube)."""
    names = list(space)
    shares = {name: len(range(number, count, len(names))) for number, name in enumerate(names)}
    return [knob for name in names for knob in _random(space, name, shares[name], rng)]


def _random(space: Space, name: str, count: int, rng: np.random.Generator) -> Iterator[Knob]:
    """Settings of a knob, spread over its ranges; without those that it refuses."""
    strata = np.array([rng.permutation(count) for _ in space[name]], float).reshape(len(space[name]), count)
    for place in ((strata + rng.random(strata.shape)) / max(count, 1)).T:
        knob = knob_at(name, place, space)
        if knob is not None:
            yield knob
