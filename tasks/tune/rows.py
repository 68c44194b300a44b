"""The path of a search as rows of the lake's table `trials`."""

import json
from collections.abc import Mapping
from typing import Any

from skewbench.tasks.tune.objective import Objective
from skewbench.tasks.tune.search import Result, Step


def rows_of(result: Result, objective: Objective, runs: Mapping[int, str]) -> list[dict[str, Any]]:
    """Make a row of each step of a search.

    Args:
        result: The search.
        objective: Its objective.
        runs: Ids of the runs, by number of the round.
    """
    return [_row(step, at, result, objective, runs) for at, step in enumerate(result.path, 1)]


def _row(step: Step, at: int, result: Result, objective: Objective, runs: Mapping[int, str]) -> dict[str, Any]:
    found, gain, tightest = step.estimate, step.estimate.gain, step.estimate.tightest
    row = {
        "objective": str(objective),
        "step": at,
        "round": step.round.number + 1,
        "phase": step.round.phase,
        "measured_in": runs[step.round.number],
        "trial": step.trial.name,
        "words": step.trial.knob.words,
        "setting": json.dumps(step.trial.knob.setting),
        "metric": objective.metric,
        "gain": gain.change,
        "low": gain.low,
        "high": gain.high,
        "n": gain.n,
        "prompts": gain.clusters,
        "failed": found.failed,
        "feasible": found.feasible,
        "chosen": step.trial == result.chosen,
    }
    if tightest is not None:
        slack = found.slack[tightest]
        row |= {"bound": str(objective.bounds[tightest]), "slack": slack.change}
        row |= {"slack_low": slack.low, "slack_high": slack.high}
    if step.round.phase == "held-out":
        row |= {"verdict": result.verdict, "reason": result.reason}
    return row
