"""Bad experiments get one line that names the field, the value and what is allowed."""

from typing import Any

import pytest

from flows import experiments
from stability import Skew, Temperature, Vanilla
from tasks.errors import InputError
from tasks.experiment import parse_experiment
from tests.tasks.experiments import BASELINE, small


def _cell(**knob: Any) -> list[dict[str, Any]]:
    return [BASELINE, {"name": "other", "knob": knob}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, ["colour", "unknown field"]),
        ({"generation": {"step": 3}}, ["generation.step", "unknown field"]),
        ({"seeds": "many"}, ["seeds", "'many'", "integer"]),
        ({"seeds": 0}, ["seeds", "0", "greater than or equal to 1"]),
        ({"name": "../escape"}, ["name", "'../escape'"]),
        ({"cells": []}, ["cells", "at least 1"]),
        ({"cells": [BASELINE, BASELINE]}, ["cells", "'baseline'", "more than once"]),
        ({"cells": _cell(kind="skew", alpha=float("nan"))}, ["cells.1.knob", "alpha", "nan"]),
        ({"cells": _cell(kind="skew", alpha=-1.0)}, ["cells.1.knob", "alpha", "-1"]),
        ({"cells": _cell(kind="skew")}, ["cells.1.knob.alpha", "missing"]),
        ({"cells": _cell(kind="twist", alpha=1.0)}, ["cells.1.knob", "'vanilla', 'skew', 'temperature'"]),
        ({"cells": _cell(kind="temperature", tau=0.0)}, ["cells.1.knob", "tau", "0"]),
        ({"cells": _cell(kind="skew", alpha=1.1, window=[0.0, 2.0])}, ["cells.1.knob.window.1", "2.0"]),
        ({"prompts": {"source": "file"}}, ["prompts", "path"]),
        ({"prompts": {"source": "scenes", "path": "x.txt"}}, ["prompts", "x.txt"]),
        ({"generation": {"width": 63}}, ["generation.width", "63", "multiple of 8"]),
        ({"model": {"dtype": "int8"}}, ["model.dtype", "int8", "float32"]),
        ({"measure": {"columns": 0}}, ["measure.columns", "0"]),
    ],
)
def test_fault_is_named(changes: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(InputError) as fault:
        small(**changes)
    message = str(fault.value)
    assert "\n" not in message
    for word in said:
        assert word in message


def test_every_knob_is_built() -> None:
    cells = [
        BASELINE,
        {"name": "s", "knob": {"kind": "skew", "alpha": 1.2, "beta": 3, "adapt_alpha": "dev", "blocks": ["up", 4]}},
        {"name": "t", "knob": {"kind": "temperature", "tau": 1.5, "window": [0.0, 0.5]}},
    ]
    knobs = [cell.knob.build() for cell in small(cells=cells).cells]
    assert knobs == [
        Vanilla(),
        Skew(alpha=1.2, beta=3.0, adapt_alpha="dev", blocks=("up", 4)),
        Temperature(tau=1.5, window=(0.0, 0.5)),
    ]


def test_experiment_survives_json() -> None:
    """The manifest keeps it as JSON, and Prefect passes it so."""
    experiment = small()
    assert parse_experiment(experiment.model_dump(mode="json"), "manifest") == experiment


@pytest.mark.parametrize("name", experiments.bundled())
def test_bundled_experiments_are_sound(name: str) -> None:
    experiment = experiments.load(name)
    assert experiment.name == name
    assert experiment.baseline == "baseline"


def test_unknown_experiment_lists_what_there_is() -> None:
    with pytest.raises(InputError, match=r"no such file.*demo.*paper-knob"):
        experiments.load("dmeo")


@pytest.mark.parametrize(("text", "said"), [("a: [", "not YAML"), ("- 1", "mapping"), ("", "mapping")])
def test_broken_file(tmp_path: Any, text: str, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        experiments.load(str(path))
