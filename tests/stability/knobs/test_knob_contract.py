"""What every registered knob promises, ours and others': one test for all."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from skewbench.sql.cells import read_cell
from skewbench.stability import Recorder, Vanilla, perturb
from skewbench.stability.knobs import KNOBS, AttentionKnob, Knob, SteppedKnob, declared
from skewbench.storage.tables.samples import KNOB_COLUMNS, SAMPLES
from skewbench.tasks.cells import cell_entry, knob_columns, whole_setting
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.size import Size
from skewbench.vocabulary.measures import NAMES
from tests.stability.dispatch import Operations
from tests.stability.models import call, tiny_unet

SIZE = Size(64, 64)
STEPS, SCALE = 3, 5.0
PLACES = {"attention": "knob", "predictions": "guidance_rule", "condition": "condition"}
"""Where a cell of an experiment has a knob."""


@pytest.fixture(params=KNOBS.names())
def knob(request: pytest.FixtureRequest) -> type[Knob]:
    return KNOBS.get(request.param)


def guided(setting: Knob, samples: int = 1, recorder: Recorder | None = None) -> Tensor:
    """What a pipeline with rows [uncond; cond] makes of its model under a knob, in each of three steps."""
    unet = _unet()
    rows = [*range(samples), *range(100, 100 + samples)]  # a sample has the same rows in any batch
    with perturb(unet, setting, recorder, samples=samples, steps=STEPS, guidance=SCALE, noise_seeds=range(samples)):
        predictions = [call(unet, rows).chunk(2) for _ in range(STEPS)]
    return torch.stack([uncond + SCALE * (cond - uncond) for uncond, cond in predictions])


@cache
def _unet() -> UNet2DConditionModel:
    """One for all tests: `perturb` leaves it as it was."""
    return tiny_unet()


@cache
def plain() -> Tensor:
    """What the pipeline makes of the model as it is."""
    return guided(Vanilla())


def is_close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def _cell(setting: Knob) -> tuple[Experiment, Cell]:
    """The setting in an experiment that was read from JSON, as a file or the form gives it."""
    fields: dict[str, Any] = {"name": "x", "cells": [{"name": "plain", "knob": {"kind": "vanilla"}}]}
    if setting.place != "attention":
        fields["cells"].append({"name": "cell", "knob": {"kind": "vanilla"}, PLACES[setting.place]: setting.setting})
    elif setting.kind != "vanilla":
        fields["cells"].append({"name": "cell", "knob": setting.setting})
    experiment = Experiment.model_validate_json(json.dumps(fields))
    return experiment, experiment.cells[-1]


def test_the_neutral_setting_gives_the_models_own_output(knob: type[Knob]) -> None:
    torch.testing.assert_close(guided(knob.neutral()), plain(), rtol=1e-4, atol=1e-5)


def test_the_example_changes_the_output_and_no_neighbour(knob: type[Knob]) -> None:
    example = knob.example()
    together, alone = guided(example, samples=2), guided(example)
    if not example.depends_on_batch:
        torch.testing.assert_close(together[:, :1], alone, rtol=1e-4, atol=1e-4)
    assert is_close(alone, plain()) == (knob is Vanilla)


def test_measures_are_recorded_under_it(knob: type[Knob]) -> None:
    """Of whatever leaves the layer; a finite number of every row, branch and block."""
    recorder = Recorder(detail="mean")
    guided(knob.example(), recorder=recorder)
    table = recorder.to_arrow()
    assert set(table["branch"].to_pylist()) == {"uncond", "cond"}
    for name in NAMES:
        values = [value for value in table[name].to_pylist() if value is not None]
        assert len(values) == (0 if name == "text_mass" else table.num_rows)
        assert all(map(math.isfinite, values))


def test_it_never_waits_for_the_device(knob: type[Knob]) -> None:
    """Neither by an operation that reads a value, nor on the meta device, where there is none."""
    with Operations() as operations:
        guided(knob.example(), recorder=Recorder())
    waiting = {"_local_scalar_dense", "is_nonzero", "nonzero", "equal", "item", "_linalg_svd"}
    assert not operations.count.keys() & waiting
    unet = tiny_unet().to("meta")
    conditions = {"text_embeds": torch.empty(2, 16, device="meta"), "time_ids": torch.empty(2, 6, device="meta")}
    shapes = {"sample": (2, 4, 8, 8), "encoder_hidden_states": (2, 5, 24), "timestep": (2,)}
    given = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    with perturb(unet, knob.example(), Recorder(), samples=1, steps=STEPS, guidance=SCALE, noise_seeds=[0]):
        for _ in range(STEPS):
            assert unet(**given, added_cond_kwargs=conditions).sample.shape == shapes["sample"]


def test_a_schedule_runs_from_the_neutral_setting_to_the_strength(knob: type[Knob]) -> None:
    example = knob.example()
    if not isinstance(example, SteppedKnob):
        return
    full = guided(example)
    scheduled = guided(replace(example, schedule="linear-up"))
    torch.testing.assert_close(scheduled[-1], full[-1], rtol=1e-4, atol=1e-5)
    for step in range(STEPS - 1):
        if not is_close(full[step], plain()[step]):
            assert not is_close(scheduled[step], full[step])
            assert not is_close(scheduled[step], plain()[step])


def test_its_controls_are_recorded_and_no_others(knob: type[Knob]) -> None:
    recorder = Recorder(detail="mean")
    guided(knob.example(), recorder=recorder)
    table = recorder.to_arrow()
    expected = knob.controls if issubclass(knob, AttentionKnob) else ("alpha_eff", "beta_eff")  # no knob: 1 and 0
    recorded = {name for name in ("alpha_eff", "beta_eff") if table[name].null_count < table.num_rows}
    assert recorded == set(expected)


def test_an_experiment_reads_each_setting_as_it_was_given(knob: type[Knob]) -> None:
    for setting in (knob.neutral(), knob.example()):
        experiment, cell = _cell(setting)
        assert setting in cell.knobs
        assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment


def test_the_form_shows_every_field_with_its_description(knob: type[Knob]) -> None:
    form = Experiment.model_json_schema()["$defs"][knob.__name__]
    assert set(form["properties"]) == {"kind", *declared(knob)}
    assert "kind" in form["required"]
    assert [name for name, field in form["properties"].items() if name != "kind" and not field["description"]] == []


def test_the_lake_keeps_every_field(knob: type[Knob]) -> None:
    """In `setting` all of them; in flat columns those that there are columns for."""
    setting = knob.example()
    experiment, cell = _cell(setting)
    kept = json.loads(json.dumps(whole_setting(cell, experiment.generation, SIZE)))
    place = PLACES[setting.place]
    assert kept[place] == setting.setting
    assert {"kind", *declared(knob)} == set(kept[place])
    flat = knob_columns(cell)
    assert flat.keys() <= {"knob", *KNOB_COLUMNS}
    row = pa.Table.from_pylist([flat], pa.schema([SAMPLES.schema.field(name) for name in flat])).to_pylist()[0]
    for name in declared(knob).keys() & row.keys() if place == "knob" else ():
        assert str(row[name]) == str(setting.setting[name])


def test_readers_have_words_family_and_strengths_without_the_knob(knob: type[Knob]) -> None:
    setting = knob.example()
    experiment, cell = _cell(setting)
    entry = read_cell(json.loads(json.dumps(cell_entry(cell, experiment.generation, SIZE))))
    assert (entry.kind, entry.words, entry.family) == (cell.knob.kind, setting.words, setting.family)
    of_place = entry.settings.get(PLACES[setting.place], {"kind": entry.kind, **entry.settings})
    assert of_place == setting.setting
    assert [strength["symbol"] for strength in entry.strengths] == [strength.symbol for strength in setting.strengths]


def test_declaring_a_knob_imports_nothing_heavy() -> None:
    code = "import sys; from skewbench.stability.knobs import KNOBS; KNOBS.names(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert {"torch", "diffusers", "pyarrow", "numpy"}.isdisjoint(done.stdout.split())
