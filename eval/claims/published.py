"""The published claims, one by one, from the numbers in `published.yaml`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from skewbench.vocabulary.measures import ANSWERS

MEASURES = {name: ANSWERS[name].symbol for name in ("neg_energy", "instability", "alignment")}
"""The measures in the order of Table 1, with the paper's symbols."""
STAGES = ("down", "mid", "up", "all")
_NOTABLE = 0.1
"""A published rho, or a difference of two, counts as a claim from this absolute value on."""

Kind = Literal[
    "correlation", "stage_order", "effect", "worst", "worst_control", "median", "rule", "area", "pearson", "cell_metric"
]


@dataclass(frozen=True)
class Claim:
    """One claim. `sign`: the sign of our number if the claim holds; `key`: selects our number, depending on `kind`."""

    group: str
    source: str
    says: str
    kind: Kind
    metric: str | None
    sign: int
    published: float | None = None
    key: dict[str, Any] = field(default_factory=dict)
    stand_in: str | None = None
    no_harm: bool = False


@cache
def published_claims() -> tuple[Claim, ...]:
    """Return all claims: the paper's in its order, then those of the secondary source."""
    content = yaml.safe_load((files("skewbench.eval.claims") / "published.yaml").read_text(encoding="utf-8"))
    paper, secondary, near = content["paper"], content["secondary"], content["stand_ins"]
    near_effects = near | content["effect_stand_ins"]
    return (
        *_correlations(paper["correlations"], near),
        *_static(paper["static"], near_effects),
        *_worst(paper["worst"], near_effects),
        *_adaptive(paper["adaptive"], near_effects),
        Claim("Against temperature", "paper", "the knob dominates more than temperature does", "area", None, 1),
        *_secondary(secondary, near_effects),
    )


def _sign(value: float) -> int:
    return 1 if value > 0 else -1


def _correlations(table: dict[str, Any], near: dict[str, str]) -> Iterator[Claim]:
    for metric, stages in table.items():
        for stage in STAGES:
            for measure, rho in zip(MEASURES, stages[stage], strict=True):
                if abs(rho) >= _NOTABLE:
                    key = {"stage": stage, "measure": measure}
                    where = "all blocks" if stage == "all" else stage
                    says = f"{'rises' if rho > 0 else 'falls'} with {MEASURES[measure]} of {where}"
                    yield Claim("Table 1", "paper", says, "correlation", metric, _sign(rho), rho, key, near.get(metric))
    for metric, stages in table.items():
        for place, measure in enumerate(MEASURES):
            rhos = {stage: stages[stage][place] for stage in STAGES if stage != "all"}
            first, last = sorted((max(rhos, key=rhos.__getitem__), min(rhos, key=rhos.__getitem__)), key=STAGES.index)
            difference = round(rhos[last] - rhos[first], 3)
            if abs(difference) >= _NOTABLE:
                key = {"stage": f"{last} - {first}", "measure": measure}
                says = (
                    f"ρ with {MEASURES[measure]} is {'higher' if difference > 0 else 'lower'} in {last} than in {first}"
                )
                yield Claim(
                    "Order by stage", "paper", says, "stage_order", metric, _sign(difference), difference, key,
                    near.get(metric),
                )  # fmt: skip


def _static(table: dict[str, Any], near: dict[str, str]) -> Iterator[Claim]:
    for setting in table["settings"]:
        key = {"alpha": setting["alpha"], "beta": setting["beta"], "adaptive": False}
        for metric, before in table["baseline"].items():
            change = round(setting[metric] - before, 3)
            says = f"α {setting['alpha']:g}, β {setting['beta']:g} {'raises' if change > 0 else 'lowers'} it"
            yield Claim(
                "Static knob", "paper", says, "effect", metric, _sign(change), change, key, near.get(metric)
            )  # fmt: skip


def _worst(table: dict[str, Any], near: dict[str, str]) -> Iterator[Claim]:
    key = {"alpha": table["alpha"], "adaptive": False}
    setting = f"α {table['alpha']:g}"
    for chosen, changes in table["changes"].items():
        for metric, change in changes.items():
            yield Claim(
                "Worst 20%", "paper", f"{setting} raises it on the worst 20% by {chosen}", "worst", metric,
                _sign(change), change, key | {"chosen_by": chosen}, near.get(metric) if metric == chosen else None,
            )  # fmt: skip
    for metric in table["changes"]:
        beyond = f"{setting} repairs the worst 20% beyond regression to the mean (not tested there)"
        own = key | {"chosen_by": metric}
        yield Claim("Worst 20%", "paper", beyond, "worst_control", metric, 1, None, own, near.get(metric))
        median = f"{setting} does not harm the median image"
        yield Claim("Median", "paper", median, "median", metric, 1, None, key, near.get(metric), no_harm=True)


def _adaptive(table: dict[str, Any], near: dict[str, str]) -> Iterator[Claim]:
    base = table["destructive"]
    setting = f"α {base['alpha']:g}, β {base['beta']:g}"
    static, adaptive = base | {"adaptive": False}, base | {"adaptive": True}
    for metric, before in table["baseline"].items():
        collapsed, rescued = table["static"][metric], table["rescued"][metric]
        other = near.get(metric)
        yield Claim(
            "Collapse and rescue", "paper", f"static {setting} collapses", "effect", metric, -1,
            round(collapsed - before, 3), static, other,
        )  # fmt: skip
        yield Claim(
            "Collapse and rescue", "paper", f"the adaptive rule rescues {setting}", "rule", metric, 1,
            round(rescued - collapsed, 3), adaptive, other,
        )  # fmt: skip
        yield Claim(
            "Collapse and rescue", "paper", f"adaptive {setting} does no harm", "effect", metric, 1,
            round(rescued - before, 3), adaptive, other, no_harm=True,
        )  # fmt: skip


def _secondary(table: dict[str, Any], near: dict[str, str]) -> Iterator[Claim]:
    group, lpips = "Secondary source", "lpips_diversity"
    other = near.get(lpips)
    gamma = {"beta": 1, "rescale": "off", "adaptive": False}
    least, most = table["moderate"]
    none, moderate = gamma | {"alpha": 0}, gamma | {"alpha": (least, most)}
    near_one = gamma | {"alpha": (table["collapse_above"], 1), "open": True}
    raised = f"γ {least:g} to {most:g} raises it by up to {table['diversity_gain']:.0%} over γ 0"
    cost = f"γ {least:g} to {most:g} costs less than {table['fid_cost']:.0%} over γ 0"
    collapse = f"above γ {table['collapse_above']:g} fidelity collapses (γ 1 is plain attention: it cannot, as stated)"
    yield Claim(group, "secondary", "γ 0 has less than γ 1", "effect", lpips, -1, None, none, other)
    yield Claim(group, "secondary", "γ 0 has the lowest of all", "cell_metric", "fid", -1, None, none)
    yield Claim(
        group, "secondary", raised, "rule", lpips, 1, table["diversity_gain"], moderate | {"against": none}, other
    )  # fmt: skip
    yield Claim(group, "secondary", cost, "cell_metric", "fid", -1, table["fid_cost"], moderate | {"against": none})
    yield Claim(group, "secondary", collapse, "effect", "image_reward", -1, None, near_one, near.get("image_reward"))
    for metric, rho, over in ((lpips, table["pearson_lpips"], "prompts"), ("fid", table["pearson_fid"], "cells")):
        says = f"has this Pearson correlation with Align over {over}"
        yield Claim(group, "secondary", says, "pearson", metric, _sign(rho), rho, {}, near.get(metric))
