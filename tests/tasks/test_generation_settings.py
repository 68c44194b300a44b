"""Cells with generation of their own: images, rows, baseline, replay and resume; what a model cannot use is refused."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from skewbench import sql
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.estimate import estimate
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.generation import GenerationSpec, Overrides
from skewbench.tasks.local import run_locally
from skewbench.tasks.models import load_pipeline
from skewbench.tasks.run import Run, generation_left, prepare, start
from skewbench.tasks.size import CHOSEN, Size
from skewbench.vocabulary.errors import InputError
from tests.families import replays
from tests.tasks.experiments import BASELINE, SKEW, small
from tests.tiny_families import save_tiny_flux, save_tiny_pixart

SIZE = {"width": 16, "height": 16}
CHANGED = {
    "guidance": 3.0,
    "steps": 3,
    "scheduler": {"name": "EulerAncestralDiscreteScheduler", "arguments": {"timestep_spacing": "trailing"}},
    "negative_prompt": "a small dotted blue square",
    "guidance_rescale": 0.5,
    "clip_skip": 1,
}
CELLS = [
    {"name": "changed", "knob": {"kind": "vanilla"}, "generation": CHANGED},
    BASELINE,
    SKEW,
    {**SKEW, "name": "skew-changed", "generation": CHANGED},
    {"name": "guided", "knob": {"kind": "vanilla"}, "generation": {"guidance": 7.0}},
]


def _experiment(model: Path, **changes: Any) -> Experiment:
    given = {"model": {"id": str(model)}, "cells": CELLS, "generation": {"steps": 2, **SIZE}, "metrics": ["contrast"]}
    return small(**{**given, "seeds": 1, "workers": {"batch": 1}, **changes})


@pytest.fixture(scope="module")
def finished(tiny_sdxl: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.set_num_threads(1)
    run = prepare(_experiment(tiny_sdxl), str(tmp_path_factory.mktemp("changed") / "lake"))
    run_locally(run, lambda _outcome: None)
    return run


def test_the_baseline_is_the_cell_without_knob_and_overrides(finished: Run) -> None:
    assert finished.experiment.baseline == "baseline"
    same = {"steps": 2, "guidance": 5.0}  # as the experiment has them
    cells = [{"name": "named", "knob": {"kind": "vanilla"}, "generation": same}, SKEW]
    assert _experiment(Path("x"), cells=cells).baseline == "named"
    assert _experiment(Path("x"), cells=CELLS[2:]).baseline is None
    with sql.connect(finished.store.lake) as lake:
        families = dict(lake.execute("SELECT cell, family FROM knobs").fetchall())
        words = dict(lake.execute("SELECT cell, words FROM knobs").fetchall())
        strengths = dict(lake.execute("SELECT cell, strengths FROM knobs").fetchall())
        pairs = lake.execute("SELECT cell, count(change) FROM paired GROUP BY cell ORDER BY cell").fetchall()
        front = sql.query(lake, "pareto_front")
    assert [cell for cell, family in families.items() if family == "baseline"] == ["baseline"]
    assert families["guided"] == "guidance"
    assert families["skew"] == "static"
    assert families["skew-changed"].startswith("static; steps; guidance; guidance rescale; negative prompt 'a small")
    assert words["guided"] == "plain attention; guidance 7"
    assert "EulerAncestralDiscreteScheduler(timestep_spacing='trailing')" in words["changed"]
    assert json.loads(strengths["guided"]) == [{"name": "guidance", "symbol": "guidance", "plain": 5.0, "value": 7.0}]
    assert pairs == [(cell, 2) for cell in ("changed", "guided", "skew", "skew-changed")]
    assert front.is_empty() or front.filter(family="baseline")["cell"].to_list() == ["baseline"]


def test_rows_hold_the_cells_own_settings(finished: Run) -> None:
    with sql.connect(finished.store.lake) as lake:
        rows = lake.execute("SELECT DISTINCT cell, steps, guidance, setting, status FROM samples").fetchall()
        steps = dict(lake.execute("SELECT cell, max(len(steps)) FROM stability GROUP BY cell").fetchall())
    found = {cell: (count, guidance, json.loads(setting)["generation"]) for cell, count, guidance, setting, _ in rows}
    assert {status for *_, status in rows} == {"ok"}
    assert found["changed"][:2] == found["skew-changed"][:2] == (3, 3.0)
    assert found["baseline"][:2] == (2, 5.0)
    assert CHANGED.items() <= found["changed"][2].items()
    assert found["baseline"][2] == GenerationSpec(steps=2).model_dump(mode="json", exclude=set(CHOSEN)) | SIZE
    assert steps == {"changed": 3, "baseline": 2, "skew": 2, "skew-changed": 3, "guided": 2}


def test_a_changed_cell_is_what_plain_diffusers_generates(finished: Run) -> None:
    from diffusers import EulerAncestralDiscreteScheduler

    pipeline = load_pipeline(finished.source, "cpu")
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(
        pipeline.scheduler.config, timestep_spacing="trailing"
    )
    sample = finished.shards[0].samples[0]
    plain = pipeline(
        sample.prompt.text,
        generator=torch.Generator().manual_seed(sample.noise_seed),
        num_inference_steps=3,
        guidance_scale=3.0,
        guidance_rescale=0.5,
        clip_skip=1,
        negative_prompt=CHANGED["negative_prompt"],
        **SIZE,
    ).images[0]
    with sql.connect(finished.store.lake) as lake:
        find = "SELECT image.bytes FROM images WHERE sample_id = ?"
        ((png,),) = lake.execute(find, [sample.sample_id]).fetchall()
    assert np.array_equal(np.asarray(Image.open(BytesIO(png))), np.asarray(plain))


@pytest.mark.parametrize("cell", ["changed", "skew-changed", "guided", "baseline"])
def test_a_replay_gives_the_image_to_the_bit(finished: Run, cell: str) -> None:
    assert replays(Path(finished.store.lake).parent, cell)


def test_a_finished_run_has_nothing_left(finished: Run) -> None:
    manifest = find_run(LocalStore(Path(finished.store.lake)), None)
    again = prepare(Experiment.model_validate(manifest.experiment), finished.store.lake)
    assert again.id == finished.id
    with Lease(again.store, again.id) as lease:
        assert list(generation_left(again, start(again, lease))) == []


def test_changed_cells_of_a_batch_are_alike_alone(finished: Run) -> None:
    """Also under a scheduler that draws noise in each step."""
    from skewbench.tasks.applied import applied
    from skewbench.tasks.generate import generate_batch

    pipeline = load_pipeline(finished.source, "cpu")
    shards = [shard for shard in finished.shards if shard.cell.name == "changed"]
    samples = [sample for shard in shards for sample in shard.samples]
    generation = finished.experiment.generation_of(shards[0].cell)
    own = pipeline.scheduler
    with applied(pipeline, generation):
        both = generate_batch(pipeline, samples, shards[0].cell.knob, generation, Size(16, 16))
        alone = generate_batch(pipeline, samples[1:], shards[0].cell.knob, generation, Size(16, 16))
    assert np.abs(both[1] - alone[0]).max() < 1e-4
    assert pipeline.scheduler is own


@pytest.mark.parametrize(
    ("generation", "said"),
    [
        ({"scheduler": {"name": "EulerAncestral"}}, "cells.a.generation.scheduler: 'EulerAncestral' is not"),
        ({"scheduler": {"name": "FlowMatchEulerDiscreteScheduler"}}, "is not a scheduler for this model; "),
        ({"scheduler": {"name": "DDIMScheduler", "arguments": {"spacing": 1}}}, "has no argument 'spacing'"),
        ({"scheduler": {"name": "DDIMScheduler", "arguments": {"beta_schedule": "x"}}}, "DDIMScheduler: x is not"),
        ({"scheduler": {"name": "PNDMScheduler"}, "steps": 1}, "pipeline cannot use PNDMScheduler with 1 steps"),
        ({"clip_skip": 3}, "clip_skip 3: the model's CLIP text encoder has 3 layers; skip at most 2"),
        ({"guidance": 1.0, "negative_prompt": "x"}, "negative_prompt 'x': has no effect, because a guidance of 1"),
        ({"guidance": 1.0, "guidance_rescale": 0.5}, "generation.guidance_rescale 0.5: has no effect"),
        ({"steps": 2}, "cells: 'baseline' and 'a' have the same knobs and the same generation"),
        ({"lora": {"path": "nothing.safetensors"}}, "cells.a.generation.lora.path 'nothing.safetensors': no such"),
    ],
)
def test_what_the_model_cannot_use_is_refused(tiny_sdxl: Path, tmp_path: Path, generation: Any, said: str) -> None:
    cells = [BASELINE, {"name": "a", "knob": {"kind": "vanilla"}, "generation": generation}]
    for check in (prepare, estimate):
        with pytest.raises(InputError) as fault:
            check(_experiment(tiny_sdxl, cells=cells), str(tmp_path))
        assert said in str(fault.value)
        assert "\n" not in str(fault.value)


def test_a_window_that_covers_no_call_of_its_cell_is_refused(tiny_sdxl: Path, tmp_path: Path) -> None:
    knob = {**SKEW["knob"], "window": [0.7, 0.9]}
    cells = [BASELINE, {"name": "late", "knob": knob, "generation": {"steps": 4}}]
    prepare(_experiment(tiny_sdxl, cells=cells), str(tmp_path))  # covers the last of four calls
    with pytest.raises(InputError, match=r"measure.every 3: cell baseline calls the model only 2 times"):
        prepare(_experiment(tiny_sdxl, cells=cells, measure={"every": 3}), str(tmp_path))
    for own in ({}, {"steps": 3}):
        with pytest.raises(InputError, match=r"cells.late: window=\(0.7, 0.9\): covers none of the [23] steps"):
            prepare(_experiment(tiny_sdxl, cells=[BASELINE, {**cells[1], "generation": own}]), str(tmp_path))


@pytest.mark.parametrize(
    ("save", "name", "value"),
    [
        (save_tiny_flux, "negative_prompt", "x"),
        (save_tiny_flux, "clip_skip", 1),
        (save_tiny_pixart, "guidance_rescale", 0.5),
        (save_tiny_pixart, "lora", {"path": "x.safetensors"}),
    ],
)
def test_what_a_pipeline_would_drop_is_refused_by_name(tmp_path: Path, save: Any, name: str, value: Any) -> None:
    model = save(tmp_path / "model")
    (tmp_path / "x.safetensors").write_bytes(b"")
    given = {"path": str(tmp_path / "x.safetensors")} if name == "lora" else value
    experiment = _experiment(model, cells=[BASELINE], generation={"steps": 1, **SIZE, name: given})
    with pytest.raises(InputError, match=rf"generation.{name} .*: \w+Pipeline does not support {name}; it"):
        prepare(experiment, str(tmp_path / "lake"))


def test_a_models_own_scheduler_is_tried_where_it_may_draw_from_the_global_generator(tmp_path: Path) -> None:
    model = save_tiny_flux(tmp_path / "model")
    path = model / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"stochastic_sampling": True}), encoding="utf-8")
    experiment = _experiment(model, cells=[BASELINE])
    with pytest.raises(InputError, match=r"from the global generator.*choose another one under"):
        prepare(experiment, str(tmp_path / "lake"))
    path.write_text(json.dumps(config | {"_class_name": "DPMSolverSDEScheduler"}), encoding="utf-8")
    with pytest.raises(InputError, match="its DPMSolverSDEScheduler draws noise from the global generator"):
        prepare(experiment, str(tmp_path / "lake"))


def test_overrides_take_the_place_of_the_experiments_settings() -> None:
    generation = GenerationSpec(steps=20, negative_prompt="blurry", clip_skip=1)
    overrides = Overrides(steps=20, guidance=3.0, negative_prompt="")
    assert generation.changes(overrides) == {"guidance": 3.0, "negative_prompt": ""}
    assert generation.overridden(overrides) == GenerationSpec(steps=20, guidance=3.0, negative_prompt="", clip_skip=1)
    assert generation.overridden(Overrides()) == generation
