"""Planted problems: the measurement of a trial is a known function of its setting, plus noise of prompts and images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import exp, log

import numpy as np

from skewbench.stability.knobs import Knob, Skew, Temperature
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.tune.design import divide
from skewbench.tasks.tune.estimate import Pairs
from skewbench.tasks.tune.objective import parse_objective
from skewbench.tasks.tune.search import Evaluate, Result, Round, Search
from skewbench.tasks.tune.space import space_of

OBJECTIVE = "binding, subject to msssim_diversity >= 0.95 of baseline"
BUDGET, SEEDS = 3000, 4
TOLERANCE = 0.2
"""Share of the best gain by which the chosen setting may be below it."""
BASELINE = {"binding": 0.5, "msssim_diversity": 0.4}
SPREAD = {"binding": (0.04, 0.12), "msssim_diversity": (0.008, 0.0)}
"""Standard deviations of the change: between prompts, and between the images of one."""


@dataclass(frozen=True)
class Planted:
    """A problem: the true change of each metric as a function of the setting, and the best gain within the bound."""

    name: str
    changes: Callable[[Knob], Mapping[str, float]]
    best: float


def _bump(x: float, centre: float, width: float) -> float:
    return exp(-(((x - centre) / width) ** 2) / 2)


def _inside(knob: Knob) -> Mapping[str, float]:
    """The best setting lies inside the bound: skew with alpha 1.3 and beta 4; temperature is worth a third of it."""
    if isinstance(knob, Skew):
        gain = 0.12 * _bump(knob.alpha, 1.3, 0.3) * _bump(knob.beta, 4, 3)
        return {"binding": gain, "msssim_diversity": -0.005 * abs(knob.alpha - 1)}
    assert isinstance(knob, Temperature)
    return {"binding": 0.04 * _bump(log(knob.tau), log(0.8), 0.3), "msssim_diversity": 0.0}


def _at_the_bound(knob: Knob) -> Mapping[str, float]:
    """The gain grows with alpha, and diversity falls: the bound is reached at alpha 1.5, where the gain is 0.1."""
    if isinstance(knob, Skew):
        return {"binding": 0.2 * (knob.alpha - 1), "msssim_diversity": -0.04 * max(knob.alpha - 1, 0)}
    assert isinstance(knob, Temperature)
    return {"binding": -0.05 * abs(log(knob.tau)), "msssim_diversity": 0.0}


def _nothing(_knob: Knob) -> Mapping[str, float]:
    return {"binding": 0.0, "msssim_diversity": 0.0}


INSIDE = Planted("an optimum inside the bound", _inside, 0.12)
AT_THE_BOUND = Planted("an optimum at the bound", _at_the_bound, 0.1)
NOTHING = Planted("no effect", _nothing, 0.0)


def solve(problem: Planted, seed: int, budget: int = BUDGET, objective: str = OBJECTIVE) -> Result:
    """Search a planted problem, whose noise has the search's seed."""
    design = divide(budget, SEEDS)
    prompts = [Prompt(f"p{number}", f"prompt {number}") for number in range(design.all_prompts)]
    space = space_of(("skew", "temperature"))
    return Search(parse_objective(objective), space, design, prompts, seed, evaluation(problem, seed)).run()


def evaluation(problem: Planted, seed: int) -> Evaluate:
    """What measures a round of a planted problem; the same round gives the same values."""

    def evaluate(of: Round) -> dict[str, dict[str, Pairs]]:
        return {trial.name: dict(_pairs(of, trial.number, problem.changes(trial.knob), seed)) for trial in of.trials}

    return evaluate


def _pairs(of: Round, trial: int, changes: Mapping[str, float], seed: int) -> Iterator[tuple[str, Pairs]]:
    for metric, change in changes.items():
        images = SEEDS if metric == "binding" else 1
        ids = tuple(prompt.id for prompt in of.prompts for _ in range(images))
        rng = np.random.default_rng([seed, of.number, trial, len(metric)])
        between, within = SPREAD[metric]
        noise = np.repeat(rng.normal(0, between, len(of.prompts)), images) + rng.normal(0, within, len(ids))
        baseline = np.full(len(ids), BASELINE[metric])
        yield metric, Pairs(ids, baseline, baseline + change + noise, np.zeros(len(ids), bool))


def found(problem: Planted, result: Result) -> bool:
    """Whether the chosen setting is within the tolerance of the best, and keeps the bound."""
    true = problem.changes(result.chosen.knob)
    keeps = BASELINE["msssim_diversity"] + true["msssim_diversity"] >= 0.95 * BASELINE["msssim_diversity"]
    return keeps and true["binding"] >= (1 - TOLERANCE) * problem.best
