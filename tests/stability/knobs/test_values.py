"""Knobs: what they take, and what they say to what they do not."""

import math

import pytest

from skewbench.stability import Skew, Temperature
from skewbench.stability.knobs import covers


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"alpha": -0.1}, "Skew.alpha=-0.1: must be a finite number >= 0"),
        ({"alpha": math.nan}, "Skew.alpha=nan: must be a finite number >= 0"),
        ({"alpha": math.inf}, "Skew.alpha=inf: must be a finite number >= 0"),
        ({"alpha": "1.05"}, "Skew.alpha='1.05': must be a finite number >= 0"),
        ({"beta": math.inf}, "Skew.beta=inf: must be a finite number"),
        ({"adapt_alpha": "on"}, "Skew.adapt_alpha='on': must be one of 'off', 'dev', 'scale'"),
        ({"adapt_beta": 1}, "Skew.adapt_beta=1: must be one of True, False"),
        ({"eta_scope": "head"}, "Skew.eta_scope='head': must be one of 'sample', 'batch'"),
        ({"rescale": None}, "Skew.rescale=None: must be 'norm', 'off', or {'sketch': m} with an integer m >= 1"),
        (
            {"rescale": {"sketch": 0}},
            "Skew.rescale={'sketch': 0}: must be 'norm', 'off', or {'sketch': m} with an integer m >= 1",
        ),
        ({"window": (0.5, 0.5)}, "Skew.window=(0.5, 0.5): must be (a, b) with 0 <= a < b <= 1"),
        ({"window": (0.0, 1.5)}, "Skew.window=(0.0, 1.5): must be (a, b) with 0 <= a < b <= 1"),
        ({"window": (math.nan, 1.0)}, "Skew.window=(nan, 1.0): must be (a, b) with 0 <= a < b <= 1"),
        ({"window": 0.5}, "Skew.window=0.5: must be (a, b) with 0 <= a < b <= 1"),
        ({"blocks": ""}, "Skew.blocks='': must not be an empty text"),
        (
            {"blocks": True},
            'Skew.blocks=True: must be "all", a stage, a number, a regex on names, or a sequence of those',
        ),
        ({"blocks": ()}, 'Skew.blocks=(): must be "all", a stage, a number, a regex on names, or a sequence of those'),
        (
            {"blocks": 1.5},
            'Skew.blocks=1.5: must be "all", a stage, a number, a regex on names, or a sequence of those',
        ),
    ],
)
def test_one_line_names_field_value_and_what_is_allowed(wrong: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match="Skew") as error:
        Skew(**{"alpha": 1.05, "beta": 5.0, **wrong})
    assert str(error.value) == line


def test_a_regex_must_compile() -> None:
    with pytest.raises(ValueError, match=r"Temperature\.blocks='\(': must be a valid regex"):
        Temperature(1.0, blocks="(")
    with pytest.raises(ValueError, match=r"Temperature\.blocks=.*must not be an empty text"):
        Temperature(1.2, blocks=("mid", ""))


@pytest.mark.parametrize("tau", [0.0, -1.0, math.nan, math.inf, None])
def test_temperature_is_positive(tau: float) -> None:
    with pytest.raises(ValueError, match=r"Temperature\.tau=.*: must be a finite number > 0"):
        Temperature(tau)


def test_equal_settings_are_equal_and_hash() -> None:
    assert Skew(1, 5, blocks=["up", 2], window=[0, 0.5]) == Skew(1.0, 5.0, blocks=("up", 2), window=(0.0, 0.5))
    assert len({Skew(1, 5, blocks=["up", 2]), Skew(1.0, 5.0, blocks=("up", 2))}) == 1


def test_windows() -> None:
    assert [call for call in range(10) if covers((0.3, 0.7), call, 10)] == [3, 4, 5, 6]
    assert [call for call in range(4) if covers((0.0, 0.5), call, 4)] == [0, 1]
    assert all(covers((0.0, 1.0), call, None) for call in (0, 1000))
    halves = [[call for call in range(7) if covers(window, call, 7)] for window in ((0.0, 0.5), (0.5, 1.0))]
    assert sorted(halves[0] + halves[1]) == list(range(7))
    with pytest.raises(ValueError, match="needs `steps`"):
        covers((0.0, 0.5), 0, None)
