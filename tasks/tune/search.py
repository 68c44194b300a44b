"""The search: rounds of trials, the choice, and the held-out measurement. Knows nothing of images or of the lake."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from skewbench.stability.knobs import Knob
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.tune.design import FINALISTS, KEPT, LEAST_HELD_OUT, Design
from skewbench.tasks.tune.estimate import Estimate, Pairs, best_first, estimate, pooled
from skewbench.tasks.tune.objective import Objective
from skewbench.tasks.tune.propose import Model
from skewbench.tasks.tune.space import Space

Phase = Literal["explore", "final", "held-out"]
Verdict = Literal["better", "not shown", "worse"]

LEVEL = 0.01
"""Level of the held-out intervals, which determine the verdict: a setting without effect is called better in 1 of 200
searches, and worse in 1 of 200."""


@dataclass(frozen=True)
class Trial:
    """A setting that is tried."""

    number: int
    knob: Knob

    @property
    def name(self) -> str:
        """Name of its cells."""
        return f"trial-{self.number}"


@dataclass(frozen=True)
class Round:
    """Trials on prompts that no other round has, with the baseline on the same prompts."""

    number: int
    phase: Phase
    trials: tuple[Trial, ...]
    prompts: tuple[Prompt, ...]


Evaluate = Callable[[Round], Mapping[str, Mapping[str, Pairs]]]
"""Measures a round: pairs by name of the trial and by metric. Called again with the same round, it gives the same."""


@dataclass(frozen=True)
class Step:
    """The estimate of a trial after a round, from all its rounds so far, or from the held-out round only."""

    round: Round
    trial: Trial
    estimate: Estimate


@dataclass(frozen=True)
class Result:
    """The outcome of a search."""

    path: tuple[Step, ...]
    """All steps, in order; the last one is the held-out measurement."""
    chosen: Trial
    held_out: Estimate
    verdict: Verdict
    reason: str


@dataclass
class Search:
    """A search. `run` does all of it.

    Args:
        objective: The objective of the search.
        space: Where.
        design: Numbers of rounds, trials and prompts.
        prompts: At least as many as the design needs; the first are held out.
        seed: Of the sampler.
        evaluate: Measures a round.
        observe: Called with each step.
    """

    objective: Objective
    space: Space
    design: Design
    prompts: Sequence[Prompt]
    seed: int
    evaluate: Evaluate
    observe: Callable[[Step], None] = lambda _step: None
    path: list[Step] = field(init=False, default_factory=list)
    _pairs: dict[Trial, list[Mapping[str, Pairs]]] = field(init=False, default_factory=dict)
    _known: dict[Trial, Estimate] = field(init=False, default_factory=dict)

    def run(self) -> Result:
        """Search, choose, and measure the choice on held-out prompts."""
        design = self.design
        for number in range(design.rounds):
            kept = self._best(KEPT)
            self._measure(Round(number, "explore", (*kept, *self._fresh(number)), self._prompts(number)))
        finalists = self._best(FINALISTS)
        last = Round(design.rounds, "final", finalists, self._prompts(design.rounds))
        self._measure(last)
        chosen = finalists[best_first([self._known[trial] for trial in finalists])[0]]
        held_out = Round(design.rounds + 1, "held-out", (chosen,), tuple(self.prompts[: design.held_out]))
        found = estimate(self.evaluate(held_out).get(chosen.name, {}), self.objective, LEVEL)
        self._add(Step(held_out, chosen, found))
        verdict, reason = judge(found, self.objective)
        return Result(tuple(self.path), chosen, found, verdict, reason)

    def _fresh(self, number: int) -> list[Trial]:
        """New trials of a round; before the last round, those with the best expectation."""
        count, seed = self.design.fresh(number), self.seed * 1000 + number
        knobs = self._model().propose(count, seed, greedy=number > 0 and number == self.design.rounds - 1)
        return [Trial(len(self._known) + at, knob) for at, knob in enumerate(knobs, 1)]

    def _prompts(self, number: int) -> tuple[Prompt, ...]:
        """Return the prompts of a round; the last round has twice as many."""
        design = self.design
        start = design.held_out + number * design.prompts
        return tuple(self.prompts[start : start + design.prompts * (2 if number == design.rounds else 1)])

    def _best(self, count: int) -> tuple[Trial, ...]:
        trials = {trial.knob: trial for trial in self._known}
        return tuple(trials[knob] for knob in self._model().best(count))

    def _model(self) -> Model:
        return Model(self.space, {trial.knob: found for trial, found in self._known.items()})

    def _measure(self, of: Round) -> None:
        found = self.evaluate(of)
        for trial in of.trials:
            parts = self._pairs.setdefault(trial, [])
            parts.append(found.get(trial.name, {}))
            metrics = self.objective.metrics
            every = {metric: pooled(part[metric] for part in parts if metric in part) for metric in metrics}
            self._known[trial] = estimate(every, self.objective)
            self._add(Step(of, trial, self._known[trial]))

    def _add(self, step: Step) -> None:
        self.path.append(step)
        self.observe(step)


def judge(held_out: Estimate, objective: Objective) -> tuple[Verdict, str]:
    """Judge a setting by its held-out measurement.

    Args:
        held_out: The measurement.
        objective: The objective.

    Returns:
        `better` if the gain's interval lies above 0 and the interval of each bound on its allowed side; `worse` if the
        gain's interval lies below 0; else `not shown`. And why.
    """
    gain, clusters = held_out.gain, held_out.gain.clusters
    if clusters < LEAST_HELD_OUT:
        return "not shown", f"only {clusters} prompts have a pair; {LEAST_HELD_OUT} are needed"
    if gain.high < 0:
        return "worse", "the interval of the gain lies below 0"
    if not gain.low > 0:
        return "not shown", "the interval of the gain includes 0"
    for bound, slack in zip(objective.bounds, held_out.slack, strict=True):
        if not slack.low >= 0:
            return "not shown", f"{bound} is {'broken' if slack.high < 0 else 'not certain'}"
    return "better", "the interval of the gain lies above 0" + (", and all bounds are kept" if objective.bounds else "")
