"""The search space and the model of what was measured."""

from typing import Annotated

import numpy as np
import pytest
from pydantic import Field

from skewbench.eval.statistics import PairedChange
from skewbench.stability.knobs import (
    AttentionKnob,
    Guidance,
    GuidanceInterval,
    Number,
    Pag,
    Skew,
    Strength,
    Temperature,
    Vanilla,
    search_ranges,
)
from skewbench.tasks.tune.estimate import Estimate
from skewbench.tasks.tune.propose import Model
from skewbench.tasks.tune.space import cell_of, knob_at, name_of, place_of, space_of

SPACE = space_of(("skew", "temperature"))


class Bounded(AttentionKnob):
    """A knob whose strengths declare their ranges in different ways."""

    share: Annotated[Number, Field(ge=0, le=1), Strength("s")] = 0.0
    narrowed: Annotated[Number, Field(ge=0), Strength("n", high=3)] = 0.0
    open: Annotated[Number, Field(ge=0), Strength("o")] = 0.0
    other: Annotated[Number, Field(ge=0, le=1)] = 0.0


def test_a_range_is_the_declared_one_or_the_fields_own_bounds() -> None:
    from pydantic.dataclasses import dataclass

    from skewbench.stability.knobs.base import CONFIG

    made = dataclass(frozen=True, kw_only=True, config=CONFIG)(Bounded)
    assert search_ranges(made) == {"share": (0, 1, False), "narrowed": (0, 3, False)}
    assert search_ranges(Temperature) == {"tau": (0.5, 2, True)}


@pytest.mark.parametrize("place", [(0.0, 1.0), (0.25, 0.5), (1.0, 0.0)])
def test_a_place_is_a_setting_and_back(place: tuple[float, float]) -> None:
    knob = knob_at("skew", np.array(place), SPACE)
    assert knob == Skew(alpha=2 * place[0], beta=1 + 7 * place[1])
    assert place_of(knob, SPACE) == pytest.approx(place)


def test_a_ratio_is_searched_by_its_logarithm() -> None:
    assert knob_at("temperature", np.array([0.5]), SPACE) == Temperature(tau=1.0)
    assert place_of(Temperature(tau=2.0), SPACE) == pytest.approx([1.0])


def test_a_knob_may_be_searched_as_a_weak_branch_as_well() -> None:
    space = space_of(("pag", "weak-pag"))
    direct, weak = knob_at("pag", np.array([0.5]), space), knob_at("weak-pag", np.array([0.5, 0.4]), space)
    assert (direct, weak) == (Pag(share=0.5), Pag(share=0.4, weak=2.5))
    assert place_of(weak, space) == pytest.approx([0.5, 0.4])
    known = {direct: Estimate(change(0.1), (), 0), weak: Estimate(change(0.3), (), 0)}
    assert Model(space, known).best(2) == [weak, direct]
    assert {name_of(knob) for knob in Model(space, {}).propose(4, 0)} == {"pag", "weak-pag"}


def test_a_setting_that_guides_no_step_is_not_tried() -> None:
    space = space_of(("guidance_interval",), 4)
    assert knob_at("guidance_interval", np.array([0.3, 0.4]), space) is None
    assert knob_at("guidance_interval", np.array([0.2, 0.4]), space) == GuidanceInterval(start=0.2, stop=0.4)


def test_a_rule_stands_beside_plain_attention() -> None:
    cell = cell_of("trial-1", Guidance(scale=3.0))
    assert cell.knobs == (Vanilla(), Guidance(scale=3.0))


def change(value: float, error: float = 0.01) -> PairedChange:
    return PairedChange(value, value - 2 * error, value + 2 * error, error, 0.0, 40, 10, 9)


KNOWN = {
    Temperature(tau=tau): Estimate(change(gain), (change(slack),), 0)
    for tau, gain, slack in ((0.6, 0.0, 0.1), (0.9, 0.2, 0.1), (1.2, 0.5, -0.1), (1.9, -0.3, 0.1))
}


def test_first_settings_are_of_each_knob_and_spread() -> None:
    found = Model(SPACE, {}).propose(8, 0)
    assert [knob.kind for knob in found] == ["skew"] * 4 + ["temperature"] * 4
    strata = {int(4 * place_of(knob, SPACE)[0]) for knob in found[4:]}
    assert strata == {0, 1, 2, 3}


def test_the_best_keep_the_bounds_first() -> None:
    best = Model(space_of(("temperature",)), KNOWN).best(4)
    assert best[0] == Temperature(tau=0.9)
    assert best[-1] == Temperature(tau=1.2)


def test_expected_best_settings_lie_near_the_best_that_keeps_the_bound() -> None:
    found = Model(space_of(("temperature",)), KNOWN).propose(3, 0, greedy=True)
    assert all(0.8 < knob.tau < 1.15 for knob in found)  # type: ignore[attr-defined]


def test_proposals_are_new_different_and_repeatable() -> None:
    model = Model(SPACE, KNOWN)
    found = model.propose(6, 4)
    assert len(set(found)) == 6
    assert not set(found) & set(KNOWN)
    assert model.propose(6, 4) == found != model.propose(6, 5)
