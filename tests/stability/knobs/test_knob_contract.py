"""What every registered knob promises, ours and others': one test for all."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pytest
import torch

from skewbench.sql.cells import read_cell
from skewbench.stability import Recorder, Vanilla, perturb
from skewbench.stability.knobs import KNOBS, AttentionKnob, Knob, declared
from skewbench.storage.tables.samples import KNOB_COLUMNS, SAMPLES
from skewbench.tasks.cells import cell_entry, knob_columns, whole_setting
from skewbench.tasks.experiment import Cell, Experiment
from skewbench.vocabulary.measures import NAMES
from tests.stability.dispatch import Operations
from tests.stability.models import call, tiny_unet

SIZE = (64, 64)


@pytest.fixture(params=KNOBS.names())
def knob(request: pytest.FixtureRequest) -> type[Knob]:
    return KNOBS.get(request.param)


def _cell(setting: Knob) -> tuple[Experiment, Cell]:
    """The setting in an experiment that was read from JSON, as a file or the form gives it."""
    fields = {"name": "x", "cells": [{"name": "plain", "knob": {"kind": "vanilla"}}]}
    if setting.kind != "vanilla":
        fields["cells"].append({"name": "cell", "knob": setting.setting})  # type: ignore[attr-defined]
    experiment = Experiment.model_validate_json(json.dumps(fields))
    return experiment, experiment.cells[-1]


def test_the_neutral_setting_gives_the_models_own_output(knob: type[Knob]) -> None:
    unet = tiny_unet()
    plain = call(unet)
    with perturb(unet, knob.neutral(), samples=1, steps=1):
        torch.testing.assert_close(call(unet), plain, rtol=1e-5, atol=1e-6)


def test_the_example_changes_the_output_and_no_neighbour(knob: type[Knob]) -> None:
    unet, example = tiny_unet(), knob.example()
    with perturb(unet, example, samples=4, steps=1):
        together = call(unet, rows=4)
    with perturb(unet, example, samples=1, steps=1):
        alone = call(unet, rows=1)
    if not example.depends_on_batch:
        torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
    changed = not torch.allclose(alone, call(unet, rows=1), rtol=1e-4, atol=1e-5)
    assert changed == (knob is not Vanilla)


def test_measures_are_recorded_under_it(knob: type[Knob]) -> None:
    """Of whatever leaves the layer; that is a finite number unless the knob says that none is defined (NULL)."""
    unet, recorder = tiny_unet(), Recorder(detail="mean")
    with perturb(unet, knob.example(), recorder, samples=1, steps=1):
        call(unet, rows=2)
    table = recorder.to_arrow()
    for name in NAMES:
        values = [value for value in table[name].to_pylist() if value is not None]
        assert len(values) == (0 if name == "text_mass" else table.num_rows)
        assert all(map(math.isfinite, values))


def test_it_never_waits_for_the_device(knob: type[Knob]) -> None:
    """Neither by an operation that reads a value, nor on the meta device, where there is none."""
    unet = tiny_unet()
    with perturb(unet, knob.example(), Recorder(), samples=1, steps=1), Operations() as operations:
        call(unet, rows=2)
    assert not operations.count.keys() & {"_local_scalar_dense", "is_nonzero", "nonzero", "equal", "item"}
    conditions = {"text_embeds": torch.empty(2, 16, device="meta"), "time_ids": torch.empty(2, 6, device="meta")}
    shapes = {"sample": (2, 4, 8, 8), "encoder_hidden_states": (2, 5, 24), "timestep": (2,)}
    given = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    with perturb(unet.to("meta"), knob.example(), Recorder(), samples=1, steps=1):
        assert unet(**given, added_cond_kwargs=conditions).sample.shape == given["sample"].shape


def test_half_of_its_strength_acts_in_between(knob: type[Knob]) -> None:
    """A schedule runs between the neutral setting and the strength: neither of them, and without a jump."""
    if not issubclass(knob, AttentionKnob):
        return
    unet, example = tiny_unet(), knob.example()
    plain = call(unet, rows=1)
    outputs = []
    for setting in (example, replace(example, schedule="linear-up")):
        with perturb(unet, setting, samples=1, steps=2):
            outputs.append((call(unet, rows=1), call(unet, rows=1)))
    (full, _), (half, last) = outputs
    torch.testing.assert_close(last, full)
    assert not torch.allclose(half, full, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(half, plain, rtol=1e-4, atol=1e-5)


def test_its_controls_are_recorded_and_no_others(knob: type[Knob]) -> None:
    unet, recorder = tiny_unet(), Recorder(detail="mean")
    with perturb(unet, knob.example(), recorder, samples=1, steps=1):
        call(unet, rows=2)
    table = recorder.to_arrow()
    expected = knob.controls if issubclass(knob, AttentionKnob) else ("alpha_eff", "beta_eff")  # no knob: 1 and 0
    recorded = {name for name in ("alpha_eff", "beta_eff") if table[name].null_count < table.num_rows}
    assert recorded == set(expected)


def test_an_experiment_reads_each_setting_as_it_was_given(knob: type[Knob]) -> None:
    for setting in (knob.neutral(), knob.example()):
        experiment, cell = _cell(setting)
        assert cell.knob == setting
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
    assert kept["knob"] == setting.setting
    assert {"kind", *declared(knob)} == set(kept["knob"])
    flat = knob_columns(cell)
    assert flat.keys() <= {"knob", *KNOB_COLUMNS}
    row = pa.Table.from_pylist([flat], pa.schema([SAMPLES.schema.field(name) for name in flat])).to_pylist()[0]
    for name in declared(knob).keys() & row.keys():
        assert str(row[name]) == str(setting.setting[name])


def test_readers_have_words_family_and_strengths_without_the_knob(knob: type[Knob]) -> None:
    setting = knob.example()
    experiment, cell = _cell(setting)
    entry = read_cell(json.loads(json.dumps(cell_entry(cell, experiment.generation, SIZE))))
    assert (entry.kind, entry.words, entry.family) == (setting.kind, setting.words, setting.family)
    assert {"kind": entry.kind, **entry.settings} == setting.setting
    assert [strength["symbol"] for strength in entry.strengths] == [strength.symbol for strength in setting.strengths]


def test_declaring_a_knob_imports_nothing_heavy() -> None:
    code = "import sys; from skewbench.stability.knobs import KNOBS; KNOBS.names(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert {"torch", "diffusers", "pyarrow", "numpy"}.isdisjoint(done.stdout.split())
