"""A tiny model of each family goes through a run: generate, measure, score, lake, queries, report, replay, resume."""

import runpy
from collections.abc import Callable
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
from skewbench.storage.state import RunState
from skewbench.storage.store import LocalStore
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.families.registry import families
from skewbench.tasks.model_blocks import list_blocks
from skewbench.tasks.models import resolve_model
from skewbench.tasks.replay import replay_script
from skewbench.tasks.report import report_run
from skewbench.tasks.run import Run, generation_left, prepare, scoring_left, start
from tests.tasks.experiments import SKEW, small
from tests.tasks.in_process import generate_and_score
from tests.tiny import SIZE, save_tiny_sd3
from tests.tiny_families import save_tiny_deepfloyd, save_tiny_flux, save_tiny_pixart, save_tiny_pixart_sigma

MODELS: dict[str, Callable[[Path], Path]] = {
    "StableDiffusion3Pipeline": save_tiny_sd3,
    "FluxPipeline": save_tiny_flux,
    "PixArtAlphaPipeline": save_tiny_pixart,
    "PixArtSigmaPipeline": save_tiny_pixart_sigma,
    "IFPipeline": save_tiny_deepfloyd,
}
JOINT = ("StableDiffusion3Pipeline", "FluxPipeline", "IFPipeline")
"""Those with text among the keys of their self-attention."""
CELLS = [{"name": "baseline", "knob": {"kind": "vanilla"}}, SKEW]


@pytest.fixture(scope="module", params=MODELS)
def lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one finished run, of batches of one."""
    folder = tmp_path_factory.mktemp("family")
    model = MODELS[request.param](folder / "model")
    assert find_run_family(_finished(folder, model)) == request.param
    return folder


def _finished(folder: Path, model: Path) -> Run:
    torch.set_num_threads(1)
    changes: dict[str, Any] = {"cells": CELLS, "metrics": ["contrast"], "workers": {"batch": 1}}
    changes |= {"model": {"id": str(model)}, "generation": {"steps": 2, "width": SIZE, "height": SIZE}}
    run = prepare(small(**changes), str(folder / "lake"))
    with Lease(run.store, run.id) as lease:
        generate_and_score(run, start(run, lease))
    return run


def find_run_family(run: Run) -> str:
    """The pipeline class in the run's manifest."""
    return str(find_run(run.store, run.id).identity["pipeline"])


def test_every_sample_is_measured_in_every_block(lake: Path) -> None:
    blocks = list_blocks(resolve_model(_experiment(lake).model))
    with sql.connect(lake / "lake") as connection:
        assert connection.execute("SELECT DISTINCT status FROM samples").fetchall() == [("ok",)]
        rows = connection.execute("SELECT DISTINCT block, block_name, stage FROM stability ORDER BY 1").fetchall()
        assert rows == [(block.number, block.name, block.stage) for block in blocks]
        share = "SELECT min(text_mass), max(text_mass), bool_and(isfinite(energy)) FROM stability"
        low, high, finite = connection.execute(share).fetchone() or ()
        joint = find_run(LocalStore(lake / "lake"), None).identity["pipeline"] in JOINT
        assert 0 < low < high < 1 if joint else low is None
        assert finite
        profile = sql.query(connection, "stability_profile")
        assert "text_mass" in profile.columns
        assert sql.query(connection, "static_effect").filter(metric="contrast")["change"].item() != 0


def _experiment(lake: Path) -> Experiment:
    store = LocalStore(lake / "lake")
    return Experiment.model_validate(find_run(store, None).experiment)


def test_the_report_shows_its_stages(lake: Path) -> None:
    page = Path(report_run(LocalStore(lake / "lake"), find_run(LocalStore(lake / "lake"), None).run_id))
    text = page.read_text(encoding="utf-8")
    assert "early" in text or "mid" in text


@pytest.mark.parametrize("cell", ["baseline", "skew"])
def test_a_replay_gives_the_image_to_the_bit(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    store = LocalStore(lake / "lake")
    manifest = find_run(store, None)
    with sql.connect(lake / "lake") as connection:
        query = (
            "SELECT s.*, i.image.bytes AS png FROM samples s JOIN images i USING (sample_id) WHERE s.cell = ? LIMIT 1"
        )
        (sample,) = connection.execute(query, [cell]).pl().to_dicts()
    family = families.get(manifest.identity["pipeline"])
    script = tmp_path / "script.py"
    script.write_text(replay_script(sample, _experiment(lake), manifest.run_id, family), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    replayed = np.asarray(Image.open(tmp_path / f"{sample['sample_id']}.png"))
    assert np.array_equal(replayed, np.asarray(Image.open(BytesIO(sample["png"]))))


def test_a_finished_run_has_nothing_left(lake: Path) -> None:
    run = prepare(_experiment(lake), str(lake / "lake"))
    assert run.id == find_run(run.store, None).run_id
    with Lease(run.store, run.id) as lease:
        state: RunState = start(run, lease)
        assert list(generation_left(run, state)) == []
        assert list(scoring_left(run, state)) == []
