"""A strength over the steps: shapes, windows, what they refuse, and what a model under them gives."""

import math
from typing import Annotated, Self

import pytest
import torch

from skewbench.stability import Recorder, Skew, Temperature, perturb
from skewbench.stability.knobs import AttentionKnob, Number
from skewbench.stability.knobs.base import CONFIG, dataclass
from skewbench.stability.knobs.schedule import amount
from tests.stability.models import layer

SHARES = {
    "constant": [1, 1, 1, 1],
    "linear-up": [0.25, 0.5, 0.75, 1],
    "linear-down": [1, 0.75, 0.5, 0.25],
    "cosine-up": [(1 - math.cos(math.pi * share)) / 2 for share in (0.25, 0.5, 0.75, 1)],
    "cosine-down": [(1 - math.cos(math.pi * share)) / 2 for share in (1, 0.75, 0.5, 0.25)],
}


@pytest.mark.parametrize("schedule", SHARES)
def test_shapes_within_a_window(schedule: str) -> None:
    shares = [amount((0.25, 0.75), schedule, step, 8) for step in range(8)]
    assert shares == pytest.approx([0, 0, *SHARES[schedule], 0, 0])
    assert [amount((0.0, 1.0), schedule, step, 4) for step in range(4)] == pytest.approx(SHARES[schedule])
    assert amount((0.9, 1.0), schedule, 9, 10) == 1  # a single step has all of it


@pytest.mark.parametrize(("knob", "strength"), [(Skew(1.8, 2.0), "alpha"), (Temperature(1.8), "tau")])
def test_a_schedule_moves_the_strength_from_its_neutral_value(knob: AttentionKnob, strength: str) -> None:
    scheduled = type(knob)(**{**knob.setting, "schedule": "linear-down", "window": (0.0, 0.5)})
    attention, x = layer(), torch.randn(2, 9, 24)
    fixed = {strength: 1.4, **({"beta": 2.0} if strength == "alpha" else {})}
    expected = []
    for each in (knob, type(knob)(**fixed)):
        with perturb(attention, each):
            expected.append(attention(x))
    expected += [attention(x), attention(x)]
    with perturb(attention, scheduled, Recorder(), steps=4):
        for wanted in expected:
            torch.testing.assert_close(attention(x), wanted)


def test_what_needs_the_number_of_steps_says_so() -> None:
    with (
        pytest.raises(ValueError, match=r"schedule='linear-up' needs `steps`"),
        perturb(layer(), Skew(0.5, 2.0, schedule="linear-up")),
    ):
        pass


@dataclass(frozen=True, config=CONFIG)
class Rigid(AttentionKnob):
    """A knob without a strength that has a neutral value."""

    size: Annotated[Number, "a number"] = 1.0

    @classmethod
    def neutral(cls) -> Self:
        return cls()


def test_settings_that_would_do_nothing_are_refused_by_name() -> None:
    late = Skew(1.2, 5.0, window=(0.95, 1.0))
    late.check_steps(20)
    with pytest.raises(ValueError, match=r"window=\(0.95, 1.0\): covers none of the 12 steps"):
        late.check_steps(12)
    with pytest.raises(ValueError, match="covers none of the 12 steps"), perturb(layer(), late, steps=12):
        pass
    Rigid.kind = "rigid"
    with pytest.raises(ValueError, match="schedule='linear-up': rigid has no strength with a neutral value"):
        Rigid(schedule="linear-up").check_steps(12)


def test_words_name_heads_and_schedule() -> None:
    knob = Skew(1.2, 5.0, blocks="up", heads=(0, 2), window=(0.0, 0.5), schedule="cosine-up")
    assert knob.words == "skew, α 1.2, β 5, blocks up, heads 0, 2, steps from 0% to 50%, cosine-up"
    assert knob.family == "static, blocks up, heads 0, 2, steps from 0% to 50%, cosine-up"
    assert Temperature(1.3, heads=(1,)).family == "temperature, heads 1"
