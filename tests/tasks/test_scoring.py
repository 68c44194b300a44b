"""Scoring a lake: bad input is named, weights that are missing and come later, resuming, required metrics."""

import math
import venv
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skewbench import sql
from skewbench.eval.environments import Environment
from skewbench.eval.environments.find import packages_of
from skewbench.eval.scorers import declaration, make
from skewbench.eval.scorers.clip_score import ClipScore
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.scoring.contract import Score
from skewbench.eval.weights import WEIGHTS, Source, Weights
from skewbench.storage.keys import GENERATION, FailedJob, JobKey
from skewbench.storage.manifest import find_run, write_manifest
from skewbench.storage.parts import read_part, write_part
from skewbench.storage.receipts import scan_receipts
from skewbench.storage.state import read_state
from skewbench.storage.store import LocalStore
from skewbench.storage.tables.scores import SCORES
from skewbench.tasks.checks import check_metrics
from skewbench.tasks.jobs import Needs, ScoreJob
from skewbench.tasks.score import score_fields, score_shard
from skewbench.tasks.scoring import left_of_run
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.errors import InputError, RunError
from tests.eval.scorers.registered import register
from tests.eval.scorers.tiny_clip import save_tiny_clip
from tests.tasks.experiments import small
from tests.tasks.scored_run import RUN, png, sample, score, write_run


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def _values(store: LocalStore, metric: str) -> list[tuple[str, float | None, str | None]]:
    with sql.connect(store.root) as connection:
        statement = "SELECT sample_id, value, reason FROM scores WHERE metric = ? ORDER BY sample_id"
        return connection.execute(statement, [metric]).fetchall()


def test_what_cannot_be_scored_is_named(store: LocalStore) -> None:
    samples = [sample(0), sample(1), sample(2, "blank"), sample(3), sample(4), sample(5)]
    write_run(store, samples, {"s0": png(), "s1": png()[:200], "s2": png(), "s4": png("P"), "s5": None})
    score(store, ["contrast"])
    scored = {key: (value, reason or "") for key, value, reason in _values(store, "contrast")}
    assert [key for key, (value, _) in scored.items() if value is not None] == ["s0", "s4"]
    said = {"s1": "the image is a damaged PNG", "s2": "is blank: of one colour", "s3": "is missing", "s5": "is missing"}
    assert all(said[key] in reason for key, (value, reason) in scored.items() if value is None)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_images_of_other_modes_are_read_as_rgb(store: LocalStore, mode: str) -> None:
    buffer = BytesIO()
    Image.open(BytesIO(png())).convert(mode).save(buffer, "PNG")
    write_run(store, [sample(0)], {"s0": buffer.getvalue()})
    score(store, ["contrast"])
    luma = np.asarray(Image.open(buffer).convert("RGB")) @ [0.299, 0.587, 0.114]
    assert [value for _, value, _ in _values(store, "contrast")] == [pytest.approx(luma.std() / 255)]


def test_a_sample_that_is_there_twice_counts_once(store: LocalStore) -> None:
    manifest = write_run(store, [sample(0), sample(0), sample(1)], {"s0": png(), "s1": png(seed=1)})
    samples, images = ((part,) for part in manifest.parts)
    tables = score_shard(store, declaration("msssim_diversity"), make("msssim_diversity"), "shard", samples, images)
    assert tables["group_scores"].column("n").to_pylist() == [2]
    assert (
        score_shard(store, declaration("contrast"), make("contrast"), "shard", samples, images)["scores"].num_rows == 2
    )


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a CLIP of our own, whose weights are not there yet; returns where they belong."""
    weights = Weights("tiny-clip", (Source(("open_clip_model.safetensors", "open_clip_config.json")),), "none", 1)
    monkeypatch.setitem(WEIGHTS, "tiny-clip", weights)
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "weights"))
    made = ClipScore(ClipTower(tmp_path / "weights/tiny-clip"), "tiny_clip_score")
    register(monkeypatch, "tiny_clip_score", lambda: made, needs=("tiny-clip",))
    return tmp_path / "weights/tiny-clip"


def test_missing_weights_give_null_until_they_are_there(store: LocalStore, tiny: Path) -> None:
    write_run(store, [sample(0), sample(1, prompt="")], {"s0": png(), "s1": png()})
    metrics = ["tiny_clip_score", "contrast"]
    assert len(score(store, metrics)) == 2
    assert score(store, metrics) == []
    assert [value for _, value, _ in _values(store, "tiny_clip_score")] == [None, None]
    assert "skewbench weights get tiny-clip" in str(_values(store, "tiny_clip_score")[0][2])
    save_tiny_clip(tiny)
    assert [job.scorer for job in score(store, metrics)] == ["tiny_clip_score"]
    (_, value, _), (_, none, reason) = _values(store, "tiny_clip_score")
    assert value is not None
    assert -1 <= value <= 1
    assert (none, reason) == (None, "the prompt is empty")
    assert score(store, metrics) == []
    # nothing is left of the first time
    assert not [one for one in scan_receipts(store, RUN)[0] if one.key.missing]
    assert len(list(store.list(f"scores/run_id={RUN}"))) == 2
    assert all(len(read_part(store, part)) == 2 for part in find_run(store, None).parts if part.table == "scores")


def test_killed_half_way_only_the_rest_is_computed(store: LocalStore) -> None:
    write_run(store, [sample(0), sample(1)], {"s0": png(), "s1": png(seed=1)})
    metrics = ["contrast", "sharpness", "binding"]
    first, second, _ = left_of_run(store, read_state(store, find_run(store, None)), metrics)
    Worker(Needs(str(store.root), None, None, threads=1, gpus=0)).run(first)  # and no manifest names what it wrote
    orphan = write_part(store, "scores", RUN, second.key.digest, "dead", SCORES.schema.empty_table())
    assert [job.scorer for job in score(store, metrics)] == ["sharpness", "binding"]
    assert score(store, metrics) == []
    assert not store.exists(orphan.path)
    assert all(value is not None for metric in ("contrast", "sharpness") for _, value, _ in _values(store, metric))


def test_shards_that_were_set_aside_stay_named(store: LocalStore) -> None:
    fault = FailedJob("generation of shard other", "out of memory", JobKey(GENERATION, shard="other"))
    write_manifest(
        store, replace(write_run(store, [sample(0)], {"s0": png()}), status="incomplete", failed_jobs=[fault])
    )
    score(store, ["contrast"])
    after = find_run(store, None)
    assert (after.status, after.failed_jobs) == ("incomplete", [fault])


def test_weights_that_go_away_leave_the_scores(store: LocalStore, tiny: Path) -> None:
    write_run(store, [sample(0)], {"s0": png()})
    save_tiny_clip(tiny)
    score(store, ["tiny_clip_score"])
    (tiny / "open_clip_model.safetensors").unlink()
    assert score(store, ["tiny_clip_score"]) == []


def test_an_environment_decides_which_scores_are_left(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is no environment gives NULL. Another version scores again, but not on a machine without it."""
    register(monkeypatch, "toy", lambda: None, environment=Environment("by-hand", ("by_hand==1",)))
    monkeypatch.setenv("SKEWBENCH_ENV_BY_HAND", str(tmp_path / "by-hand"))
    write_run(store, [sample(0)], {"s0": png()})
    assert [job.key.missing for job in score(store, ["toy"])] == [True]
    assert "no environment is there, since it has no bin/python" in str(_values(store, "toy")[0][2])
    assert score(store, ["toy"]) == []
    venv.EnvBuilder(symlinks=True).create(tmp_path / "by-hand")
    metadata = packages_of(tmp_path / "by-hand") / "by_hand-1.dist-info" / "METADATA"
    metadata.parent.mkdir()

    def left(version: str) -> list[ScoreJob]:
        metadata.write_text(f"Metadata-Version: 2.1\nName: by_hand\nVersion: {version}\n")
        return left_of_run(store, read_state(store, find_run(store, None)), ["toy"])

    (first,), (second,) = left("1"), left("2")
    assert (first.key.package, second.key.package) == ("by_hand 1", "by_hand 2")
    assert (first.key.missing, second.key.missing) == (False, False)
    worker = Worker(Needs(str(store.root), None, None, threads=1, gpus=0))
    with pytest.raises(RunError, match="has by_hand 2 in the environment of toy, and the driver has by_hand 1"):
        worker.run(first)


def test_required_metrics_fail_before_anything_is_generated(tiny: Path) -> None:
    check_metrics(["tiny_clip_score"])
    with pytest.raises(InputError, match=r"'tiny_clip_score' is required: weights tiny-clip are not on this machine"):
        check_metrics(["tiny_clip_score"], ["tiny_clip_score"])
    with pytest.raises(InputError, match="required: 'contrast' is not among the metrics"):
        small(required=["contrast"])
    with pytest.raises(InputError, match="no such scorer"):
        check_metrics(["beauty"])


def test_a_run_that_is_generated_is_not_scored(store: LocalStore) -> None:
    write_manifest(store, replace(write_run(store, [sample(0)], {"s0": png()}), status="running"))
    with pytest.raises(InputError, match="not committed yet"):
        left_of_run(store, read_state(store, find_run(store, None)), ["contrast"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_missing_with_the_reason(value: float) -> None:
    fields = score_fields(declaration("sharpness"), "sharpness", Score(value))
    assert (fields["value"], fields["reason"]) == (None, f"the scorer returned {value}")
    assert score_fields(declaration("sharpness"), "sharpness", Score(0.5))["value"] == 0.5
