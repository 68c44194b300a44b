"""A search in words: a line for each step, and the lines that use the chosen setting."""

import json
from dataclasses import fields

from skewbench.stability.knobs import Knob
from skewbench.tasks.families.contract import Family
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


def usage(knob: Knob, family: Family, guidance: float, calls: int) -> tuple[str, str]:
    """Write the lines that use a setting: of Python, in a script of diffusers, and of YAML, as a cell.

    Args:
        knob: The setting.
        family: The model's family.
        guidance: The pipeline's own guidance scale.
        calls: Calls of the model in an image's steps.
    """
    changed = {
        field.name: getattr(knob, field.name)
        for field in fields(knob)
        if field.name != "kind" and getattr(knob, field.name) != field.default
    }
    arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    more = _needs(knob, family, guidance, calls)
    python = f"perturb(pipeline.{family.denoiser}, {type(knob).__name__}({arguments}){more})"
    given = "".join(f", {name}: {json.dumps(knob.setting[name])}" for name in changed)  # JSON is YAML, quotes included
    setting = f"{{kind: {knob.kind}{given}}}"
    place = {"predictions": "knob: {kind: vanilla}, guidance_rule", "condition": "knob: {kind: vanilla}, condition"}
    return python, f"- {{name: tuned, {place.get(knob.place, 'knob')}: {setting}}}"


def _needs(knob: Knob, family: Family, guidance: float, calls: int) -> str:
    """The additional arguments of `perturb` that a setting needs, for one image per call of the pipeline."""
    if knob.place == "attention" and getattr(knob, "weak", None) is None:
        return ""
    own = f", steps={calls}, noise_seeds=[0]" if knob.place == "condition" else f", guidance={guidance:g}"
    return f", samples=1{own}" + (f", loop=Loop(pipeline.scheduler, {family.calls!r})" if family.calls else "")
