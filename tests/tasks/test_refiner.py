"""SDXL's refiner as a second stage of a cell: images, rows, replay and resume; what does not fit is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from skewbench import sql
from skewbench.storage.lease import Lease
from skewbench.tasks.estimate import estimate
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.local import run_locally
from skewbench.tasks.refiner import with_refiners
from skewbench.tasks.regressions import gather
from skewbench.tasks.run import Run, generation_left, prepare, start
from skewbench.vocabulary.errors import InputError
from tests.families import replays
from tests.tasks.experiments import BASELINE, SKEW, small
from tests.tiny import save_tiny_refiner
from tests.tiny_families import save_tiny_flux

SIZE = {"width": 16, "height": 16}
ANCESTRAL = {"name": "EulerAncestralDiscreteScheduler"}


@pytest.fixture(scope="module")
def refiner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_refiner(tmp_path_factory.mktemp("refiner") / "refiner")


def _experiment(model: Path, refiner: Path, at: float = 0.5, **changes: Any) -> Experiment:
    second = {"refiner": {"id": str(refiner), "at": at}}
    cells = [
        BASELINE,
        {"name": "refined", "knob": {"kind": "vanilla"}, "generation": second},
        {**SKEW, "generation": {**second, "scheduler": ANCESTRAL, "negative_prompt": "a square"}},
    ]
    given = {"cells": cells, "generation": {"steps": 4, **SIZE}, "metrics": ["contrast"], "seeds": 1}
    return small(**{**given, "model": {"id": str(model)}, "workers": {"batch": 1}, **changes})


@pytest.fixture(scope="module")
def finished(tiny_sdxl: Path, refiner: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.set_num_threads(1)
    run = prepare(_experiment(tiny_sdxl, refiner), str(tmp_path_factory.mktemp("refined") / "lake"))
    run_locally(run, lambda _outcome: None)
    return run


def test_the_refiner_is_in_the_rows_and_the_models_own_calls_are_measured(finished: Run) -> None:
    with sql.connect(finished.store.lake) as lake:
        rows = lake.execute("SELECT DISTINCT cell, status, setting FROM samples ORDER BY cell").fetchall()
        steps = dict(lake.execute("SELECT cell, max(len(energy_steps)) FROM stability GROUP BY cell").fetchall())
        blocks = lake.execute("SELECT count(DISTINCT block) FROM stability GROUP BY cell").fetchall()
        words = dict(lake.execute("SELECT cell, words FROM knobs").fetchall())
    assert {status for _, status, _ in rows} == {"ok"}
    found = {cell: json.loads(setting)["generation"]["refiner"] for cell, _, setting in rows}
    assert found["baseline"] is None
    assert found["refined"] == found["skew"]
    assert (found["refined"]["at"], len(found["refined"]["revision"])) == (0.5, 16)
    assert steps == {"baseline": 4, "refined": 2, "skew": 2}
    assert len(set(blocks)) == 1
    assert words["refined"] == "plain attention; refiner refiner at 0.5"


@pytest.mark.parametrize("cell", ["baseline", "refined", "skew"])
def test_a_replay_gives_the_image_to_the_bit(finished: Run, cell: str) -> None:
    assert replays(Path(finished.store.lake).parent, cell)


def test_the_refiner_changes_the_image(finished: Run) -> None:
    with sql.connect(finished.store.lake) as lake:
        images = lake.execute("SELECT cell, image.bytes FROM images WHERE cell != 'skew'").fetchall()
    assert len({content for _, content in images}) == 4


def test_a_finished_run_has_nothing_left_and_its_id_depends_on_the_refiners_files(
    finished: Run, tiny_sdxl: Path, tmp_path: Path
) -> None:
    again = prepare(finished.experiment, finished.store.lake)
    assert again.id == finished.id
    with Lease(again.store, again.id) as lease:
        assert list(generation_left(again, start(again, lease))) == []
    other = save_tiny_refiner(tmp_path / "refiner")
    index = other / "unet" / "config.json"
    index.write_text(index.read_text() + " ")
    lake = finished.store.lake
    assert prepare(_experiment(tiny_sdxl, other), lake).id != finished.id
    second = finished.experiment.cells[1].generation.refiner
    assert second is not None
    assert second.revision is not None
    kept = small(generation={"steps": 2, "refiner": {"id": str(other), "revision": second.revision}})
    with pytest.raises(InputError, match=f"generation.refiner.revision '{second.revision}': .* has '[0-9a-f]{{16}}'"):
        with_refiners(kept, download=False)


def test_plan_counts_its_weights_and_calls(tiny_sdxl: Path, refiner: Path, tmp_path: Path) -> None:
    planned = estimate(_experiment(tiny_sdxl, refiner), str(tmp_path / "lake"))
    assert "MB of weights in memory with the refiner" in planned.model
    assert planned.predictions == 2 * 3 * 4 * 2  # prompts, cells, steps of both models, branches


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"scheduler": {"name": "HeunDiscreteScheduler"}},
            "a step of HeunDiscreteScheduler cannot be split between two",
        ),
        (
            {"at": 1e-4},
            "cells.x.generation.refiner.at 0.0001: of 4 steps the model runs 0 and the refiner 4;",
        ),
        (
            {"id": "{model}"},
            "its pipeline class is 'StableDiffusionXLPipeline'; a refiner is a StableDiffusionXLImg2Img",
        ),
        ({"id": "{other}"}, "its vae has block_out_channels .* it cannot take over the model's latents"),
        ({"id": "{nowhere}"}, "generation.refiner.id '.*nowhere': not a model"),
        ({"model": "{flux}"}, "FluxPipeline does not support refiner; it supports steps, guidance, scheduler, lora"),
    ],
)
def test_what_does_not_fit_is_refused(
    changes: dict[str, Any], line: str, tiny_sdxl: Path, refiner: Path, tmp_path: Path
) -> None:
    saved = {"other": lambda path: save_tiny_refiner(path, down=2), "flux": save_tiny_flux}
    places = {"{model}": tiny_sdxl, "{nowhere}": tmp_path / "nowhere"}
    for name, save in saved.items():
        if f"{{{name}}}" in changes.values():
            places[f"{{{name}}}"] = save(tmp_path / name)
    given = {
        name: str(places.get(value, value)) if isinstance(value, str) else value for name, value in changes.items()
    }
    model, scheduler = given.pop("model", str(tiny_sdxl)), given.pop("scheduler", None)
    generation = {"refiner": {"id": str(refiner), "at": 0.5, **given}, "scheduler": scheduler}
    cell = {"name": "x", "knob": {"kind": "vanilla"}, "generation": generation}
    experiment = _experiment(Path(model), refiner, cells=[BASELINE, cell])
    with pytest.raises(InputError, match=line) as error:
        estimate(experiment, str(tmp_path / "lake"))
    assert "\n" not in str(error.value)


def test_runs_with_other_refiners_are_not_compared() -> None:
    """The place of a refiner's files decides nothing, its revision does."""
    one, moved, other = (
        json.dumps({"refiner": {"id": place, "at": 0.5, "revision": revision}})
        for place, revision in (("a", "x"), ("b", "x"), ("a", "y"))
    )
    assert gather._given(one, "refiner") == gather._given(moved, "refiner")
    assert gather._given(one, "refiner") != gather._given(other, "refiner")
    assert gather._given("{}", "refiner") is None
    assert "refiner" in gather._GENERATION
