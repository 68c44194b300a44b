"""A tiny model of each family goes through a run: generate, measure, score, lake, queries, report, replay, resume."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skewbench import sql
from skewbench.flows.experiments import load
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.applied import applied
from skewbench.tasks.checks import check_experiment
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.families.registry import families
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.local import run_locally
from skewbench.tasks.model_blocks import list_blocks
from skewbench.tasks.models import load_pipeline, resolve_model
from skewbench.tasks.run import generation_left, prepare, scoring_left, start
from tests.families import BLOCK, METRICS, PAGE, Checked, prepared, replays, rows_in, rows_of, savers, table


@pytest.fixture(scope="module", params=sorted(set(savers()) - {"StableDiffusionXLPipeline"}))
def lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake with one finished run; SDXL has it everywhere else."""
    folder = tmp_path_factory.mktemp("family")
    manifest = run_locally(prepared(folder, request.param), lambda _outcome: None)
    assert manifest.identity["pipeline"] == request.param
    return folder


def test_every_family_is_checked_and_in_the_documentation() -> None:
    own = {name for name in families.names() if families.source(name).startswith("skewbench.")}
    assert set(savers()) == own
    block = BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert block is not None
    assert {name for name in own if f"`{name}`" in block[0]} == own
    assert block[0].count("| finite | equal |") == len(own)


def test_a_row_that_was_checked_again_takes_the_place_of_its_own() -> None:
    before = rows_in(PAGE.read_text(encoding="utf-8"))
    assert list(before) == list(savers())
    found = Checked(3, 0.0, 0.5, 0.0, measures=True, replay=False, seconds=1.0)
    after = rows_in(f"<!-- families: x -->\n{table({**before, **rows_of({'FluxPipeline': found})})}\n<!-- end -->")
    assert {name for name in before if before[name] != after[name]} == {"FluxPipeline"}
    assert list(after) == list(before)
    assert "**differs**" in after["FluxPipeline"]


@pytest.mark.parametrize("name", sorted(savers()))
def test_every_family_has_an_experiment_to_start_from(name: str) -> None:
    """It names the family's model, and only metrics and knobs that there are."""
    family = families.get(name)
    examples = [load(str(path)) for path in (PAGE.parent / "examples").glob("*.yaml")]
    (example,) = (one for one in examples if one.model.id == family.example)
    check_experiment(example)
    assert example.name == f"{family.name}-knob"
    assert f"examples/{family.name}.yaml" in PAGE.read_text(encoding="utf-8")


def test_every_sample_is_measured_in_every_block(lake: Path) -> None:
    blocks = list_blocks(resolve_model(_experiment(lake).model))
    with sql.connect(lake / "lake") as connection:
        assert connection.execute("SELECT DISTINCT status FROM samples").fetchall() == [("ok",)]
        rows = connection.execute("SELECT DISTINCT block, block_name, stage FROM stability ORDER BY 1").fetchall()
        assert rows == [(block.number, block.name, block.stage) for block in blocks]
        share = "SELECT min(text_mass), max(text_mass), bool_and(isfinite(energy)) FROM stability"
        low, high, finite = connection.execute(share).fetchone() or ()
        family = families.get(find_run(LocalStore(lake / "lake"), None).identity["pipeline"])
        assert 0 < low < high < 1 if family.joint else low is None
        assert finite
        profile = sql.query(connection, "stability_profile")
        assert "text_mass" in profile.columns
        assert sql.query(connection, "static_effect").filter(metric=METRICS[family.medium])["change"].item() != 0


def _experiment(lake: Path) -> Experiment:
    return Experiment.model_validate(find_run(LocalStore(lake / "lake"), None).experiment)


def test_the_report_shows_its_stages(lake: Path) -> None:
    (page,) = (lake / "lake" / "_reports").glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "early" in text or "mid" in text


@pytest.mark.parametrize("number", [0, 1])
def test_a_replay_gives_the_sample_to_the_bit(lake: Path, number: int) -> None:
    assert replays(lake, _experiment(lake).cells[number].name)


def test_every_setting_that_the_family_declares_changes_the_image(lake: Path) -> None:
    given = {"negative_prompt": "a small dotted blue square", "guidance_rescale": 0.7, "clip_skip": 1}
    run = prepare(_experiment(lake), str(lake / "lake"))
    pipeline = load_pipeline(run.source, "cpu")
    shard = run.shards[0]

    def generated(**settings: Any) -> np.ndarray:
        generation = run.experiment.generation.model_copy(update=settings)
        return generate_batch(pipeline, shard.samples[:1], shard.cell.knob, generation, run.setting.size)

    plain = generated()
    for name in set(families.get(type(pipeline).__name__).settings) - {"lora", "refiner"}:
        assert not np.array_equal(generated(**{name: given[name]}), plain), name
    assert np.array_equal(generated(), plain)


def test_prompts_are_encoded_once_and_alone(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image alone is equal, bit by bit, to one without it; in a batch to rounding, as ever."""
    run = prepare(_experiment(lake), str(lake / "lake"))
    pipeline = load_pipeline(run.source, "cpu")
    samples = [sample for shard in run.shards if shard.cell.name == "baseline" for sample in shard.samples]
    assert len({sample.prompt.text for sample in samples}) == len(samples) == 2
    given = (run.shards[0].cell.knob, run.setting.generation, run.setting.size)
    plain = [generate_batch(pipeline, [sample], *given)[0] for sample in samples]
    calls: list[Any] = []
    encoder = getattr(pipeline, "text_encoder_2", None) or pipeline.text_encoder
    own = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda *a, **k: calls.append(a) or own(*a, **k))
    counts = []
    for _ in range(2):
        with applied(pipeline, run.setting.generation):
            alone = [generate_batch(pipeline, [sample], *given)[0] for sample in samples]
            both = generate_batch(pipeline, samples, *given)
        assert np.array_equal(alone, plain)
        assert np.abs(both - plain).max() < 1e-4
        counts.append(len(calls))
    assert 0 < counts[0] == counts[1]
    generate_batch(pipeline, samples, *given)
    assert len(calls) > counts[1]


def test_a_finished_run_has_nothing_left(lake: Path) -> None:
    run = prepare(_experiment(lake), str(lake / "lake"))
    assert run.id == find_run(run.store, None).run_id
    with Lease(run.store, run.id) as lease:
        state = start(run, lease)
        assert list(generation_left(run, state)) == []
        assert list(scoring_left(run, state)) == []
