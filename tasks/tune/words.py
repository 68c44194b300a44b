"""A search in words: a line for each step, and the lines that use the chosen setting."""

import json
from dataclasses import fields

from skewbench.stability.knobs import Knob
from skewbench.tasks.tune.objective import Objective
from skewbench.tasks.tune.search import Result, Step


def step_line(step: Step, objective: Objective) -> str:
    """Describe a step of the path in one line.

    Args:
        step: The step.
        objective: What the search improves.
    """
    gain, found = step.estimate.gain, step.estimate
    text = f"round {step.round.number + 1}, {step.trial.name} ({step.trial.knob.words}): "
    text += f"{objective.metric} better by {_interval(gain.change, gain.low, gain.high)}, {gain.clusters} prompts"
    if objective.bounds:
        text += f", feasible: {found.feasible}"
    return text + (f", {found.failed} failed" if found.failed else "")


def result_lines(result: Result, objective: Objective) -> list[str]:
    """Describe the held-out measurement and the verdict.

    Args:
        result: The result of the search.
        objective: What the search improves.
    """
    found = result.held_out
    gain = found.gain
    where = f"on {gain.clusters} held-out prompts ({gain.n} pairs)"
    lines = [f"chosen: {result.chosen.name} ({result.chosen.knob.words})"]
    lines.append(f"{where}: {objective.metric} better by {_interval(gain.change, gain.low, gain.high)}, 99% interval")
    for bound, slack in zip(objective.bounds, found.slack, strict=True):
        lines.append(f"{bound}: room {_interval(slack.change, slack.low, slack.high)}, 99% interval")
    if found.failed:
        lines.append(f"{found.failed} images failed with it; each counts with the worst value")
    verdict = {"better": "better than the baseline", "worse": "worse than the baseline"}
    lines.append(f"verdict: {verdict.get(result.verdict, result.verdict)}: {result.reason}")
    return lines


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:+.3g} [{low:+.3g}, {high:+.3g}]"


def usage(knob: Knob, denoiser: str) -> tuple[str, str]:
    """Write the lines that use a setting: of Python, in a script of diffusers, and of YAML, as a cell.

    Args:
        knob: The setting.
        denoiser: Name of the pipeline's denoiser, such as `unet`.
    """
    changed = {
        field.name: getattr(knob, field.name)
        for field in fields(knob)
        if field.name != "kind" and getattr(knob, field.name) != field.default
    }
    arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    python = f"perturb(pipeline.{denoiser}, {type(knob).__name__}({arguments}))"
    given = "".join(f", {name}: {json.dumps(knob.setting[name])}" for name in changed)  # JSON is YAML, quotes included
    return python, f"- {{name: tuned, knob: {{kind: {knob.kind}{given}}}}}"
