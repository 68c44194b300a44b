"""Bad experiments get one line that names the field, the value and what is allowed."""

import re
from pathlib import Path
from typing import Any

import pytest

from skewbench.flows import experiments
from skewbench.stability import Skew, Temperature, Vanilla
from skewbench.tasks.experiment import parse_experiment
from skewbench.vocabulary.errors import InputError
from tests.tasks.experiments import BASELINE, small


def _cell(**knob: Any) -> list[dict[str, Any]]:
    return [BASELINE, {"name": "other", "knob": knob}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, ["colour 'red': unknown field; there are name, description, model, prompts, seeds"]),
        ({"sedes": 3}, ["sedes 3: unknown field; did you mean 'seeds'?"]),
        ({"generation": {"step": 3}}, ["generation.step 3: unknown field; did you mean 'steps'?"]),
        ({"cells": _cell(kind="skew", alpha=1.1, bata=2)}, ["cells.1.knob.bata 2: unknown", "mean 'beta'?"]),
        (
            {"cells": _cell(kind="temperature", tau=1.1, alpha=2)},
            ["cells.1.knob.alpha", "blocks, heads, weak, tau"],
        ),
        ({"seeds": "many"}, ["seeds", "'many'", "integer"]),
        ({"seeds": 0}, ["seeds", "0", "greater than or equal to 1"]),
        ({"name": "../escape"}, ["name '../escape': a name is 1 to 40 lower-case letters, digits and hyphens"]),
        ({"cells": [{**BASELINE, "name": "A b"}]}, ["cells.0.name 'A b': a name is 1 to 40", "dots, underscores"]),
        ({"prompts": "scenes"}, ["prompts 'scenes'", "a mapping of fields"]),
        ({"cells": []}, ["cells []: list should have at least 1 item, not 0"]),
        ({"cells": [BASELINE, BASELINE]}, ["cells", "duplicate name 'baseline'"]),
        ({"cells": _cell(kind="skew", alpha=float("nan"))}, ["cells.1.knob", "alpha", "nan"]),
        ({"cells": _cell(kind="skew", alpha=-1.0)}, ["cells.1.knob", "alpha", "-1"]),
        ({"cells": _cell(kind="skew")}, ["cells.1.knob.alpha", "missing"]),
        (
            {"cells": _cell(kind="twist")},
            ["cells.1.knob: unknown kind 'twist'; use one of 'vanilla', 'pag', "],
        ),
        (
            {"cells": _cell(alpha=1.0)},
            ["cells.1.knob: kind is missing; there are 'vanilla', 'pag', "],
        ),
        ({"cells": _cell(kind="temperature", tau=0.0)}, ["cells.1.knob", "tau", "0"]),
        ({"cells": _cell(kind="skew", alpha=1.1, window=[0.0, 2.0])}, ["cells.1.knob.window.1", "2.0"]),
        ({"prompts": {"source": "file"}}, ["prompts", "path"]),
        ({"prompts": {"source": "scenes", "path": "x.txt"}}, ["prompts", "x.txt"]),
        ({"generation": {"width": 63}}, ["generation.width", "63", "multiple of 8"]),
        ({"model": {"dtype": "int8"}}, ["model.dtype", "int8", "float32"]),
        ({"measure": {"columns": 0}}, ["measure.columns 0: Input should be 'all', or greater than or equal to 1"]),
    ],
)
def test_fault_is_named(changes: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(InputError) as fault:
        small(**changes)
    message = str(fault.value)
    assert "\n" not in message
    for word in said:
        assert word in message


def test_several_faults_are_told_one_a_line() -> None:
    with pytest.raises(InputError) as fault:
        small(seeds="many", sedes=3, cells=_cell(kind="skew", alfa=1.0))
    assert str(fault.value).splitlines() == [
        "test: 4 errors",
        "  seeds 'many': Input should be a valid integer",
        "  cells.1.knob.alpha: is missing",
        "  cells.1.knob.alfa 1.0: unknown field; did you mean 'alpha'?",
        "  sedes 3: unknown field; did you mean 'seeds'?",
    ]


def test_every_knob_is_built() -> None:
    cells = [
        BASELINE,
        {"name": "s", "knob": {"kind": "skew", "alpha": 1.2, "beta": 3, "adapt_alpha": "dev", "blocks": ["up", 4]}},
        {"name": "t", "knob": {"kind": "temperature", "tau": 1.5, "window": [0.0, 0.5]}},
    ]
    knobs = [cell.knob for cell in small(cells=cells).cells]
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


def _aliases(depth: int) -> bytes:
    """Under 1 kB of YAML; each line holds two of the line before, so it expands to 2 ** depth values."""
    lines = ["a0: &a0 [1, 1]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, depth))]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("seeds: yes", "seeds 'yes'"),
        ("seeds: 1:30", "seeds '1:30'"),
        ("seeds: '4'", "seeds '4'"),
        ("seeds: 4.0", "seeds 4.0"),
        ("shared_seeds: off", "shared_seeds 'off'"),
        ("shared_seeds: 1", "shared_seeds 1"),
        ("name: 5", "name 5"),
        ("generation: {guidance: '5'}", "generation.guidance '5'"),
        ("workers: {gpus: true}", "workers.gpus True"),
        ("cells: [{name: x, knob: {kind: skew, alpha: 1, beta: 5, blocks: true}}]", "cells.0.knob.blocks True"),
    ],
)
def test_types_are_strict(line: str, field: str) -> None:
    text = f"{line}\nname: strict\ncells: [{{name: baseline, knob: {{kind: vanilla}}}}]\n"
    given = line.partition(":")[0]
    text = "\n".join([line, *(other for other in text.splitlines()[1:] if not other.startswith(given))])
    with pytest.raises(InputError, match=f"test: {re.escape(field)}: Input should be a valid"):
        experiments.parse(text, "test")


def test_words_and_numbers_are_those_of_yaml_1_2() -> None:
    text = """
    name: strict
    seeds: 010
    description: 2026-02-30
    cells: [{name: off, knob: {kind: skew, alpha: 1, beta: 5e-1, rescale: off}}]
    """
    read = experiments.parse(text, "test")
    assert (read.seeds, read.description, read.cells[0].name) == (10, "2026-02-30", "off")
    setting = read.cells[0].knob.setting
    assert (setting["alpha"], setting["beta"], setting["rescale"]) == (1.0, 0.5, "off")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: [", "not YAML in line 1, column 5: while parsing a flow node, expected the node content"),
        (b"a: b: c", "not YAML in line 1, column 5: mapping values are not allowed here"),
        (b"a: \x00", "not YAML: special characters are not allowed, at character 3"),
        (b"a: \xe9b", "not YAML: invalid continuation byte, at character 3"),
        (b"a: " + b"[" * 5000, "nested too deeply"),
        (b"name: a\nseeds: 1_05", "line 2: 1_05: a number has no underscores"),
        (b"seeds: 0x" + b"f" * 200_000, "a number has no underscores and 40 digits at most"),
        (b"seeds: " + b"1" * 200_000, "a number has no underscores and 40 digits at most"),
        (b"a: &a [*a]", "an alias refers to a value that contains it"),
        (_aliases(depth=30), "its aliases expand to"),
        (b"a: " + b"b" * 2_000_000, "an experiment has 1,000,000 at most"),
        (
            b'name: a\ndescription: "x \\ud83d y"',
            "line 2: a text has half of a surrogate pair, which is not valid text: 'x",
        ),
        (b'name: a\n"\\udcff": 1', "line 2: a text has half of a surrogate pair"),
        (b"- 1", "mapping of fields, not list"),
        (b"", "is empty"),
        (b"# nothing yet\n", "is empty"),
        (b"name: a\nseeds: 1\n\nseeds: 2\n", "line 4: 'seeds' is given twice, first in line 2"),
        (b"cells:\n- {name: a, knob: {kind: skew, alpha: 1, alpha: 2}}", "line 2: 'alpha' is given twice"),
    ],
)
def test_broken_file(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(text)
    with pytest.raises(InputError) as fault:
        experiments.load(str(path))
    assert str(fault.value).startswith(f"{path}: ")
    assert said in str(fault.value)
    assert "string>" not in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        experiments.load(str(tmp_path))


def test_merged_keys_may_be_given_again() -> None:
    text = """
    name: merged
    model: &other {<<: &one {id: shapes-xl, dtype: float32}, dtype: float16}
    cells: [{name: baseline, knob: {kind: vanilla}}]
    """
    assert experiments.parse(text, "test").model.dtype == "float16"
