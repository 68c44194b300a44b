"""Scoring a lake: bad input is named, weights that are missing and come later, resuming, required metrics."""

import math
import re
import venv
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from skewbench import sql
from skewbench.eval.environments import Environment
from skewbench.eval.environments.find import packages_of
from skewbench.eval.scorers import declaration, make
from skewbench.eval.scorers.clip_score import ClipScore
from skewbench.eval.scoring.audio import encode
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.scoring.contract import Score
from skewbench.eval.weights import WEIGHTS, Source, Weights
from skewbench.storage.keys import GENERATION, FailedJob, JobKey
from skewbench.storage.manifest import find_run, now, write_manifest
from skewbench.storage.parts import read_part, write_part
from skewbench.storage.receipts import Receipt, scan_receipts, write_receipt
from skewbench.storage.records import Manifest
from skewbench.storage.state import read_state, records_of
from skewbench.storage.store import LocalStore
from skewbench.storage.tables.samples import SAMPLES
from skewbench.storage.tables.scores import SCORES
from skewbench.tasks.checks import check_metrics, expand
from skewbench.tasks.jobs import Needs, ScoreJob
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.tasks.reference import find_reference
from skewbench.tasks.run import commit_receipts
from skewbench.tasks.score import score_fields, score_shard
from skewbench.tasks.scoring import left_of_run
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.metrics import Medium
from tests.eval.scorers.registered import register
from tests.eval.scorers.tiny_clip import save_tiny_clip
from tests.eval.scorers.tiny_inception import save_inception
from tests.tasks.experiments import small
from tests.tiny_clap import save_clap

RUN = "small-0123abcd"


def _png(mode: str = "RGB", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def _sample(seed: int, status: str = "ok", prompt: str = "a red circle") -> dict[str, Any]:
    return {
        "sample_id": f"s{seed}", "pair_id": f"p{seed}", "cell": "baseline", "prompt_id": "q", "seed": seed,
        "noise_seed": seed, "prompt": prompt, "shard": "shard", "knob": "vanilla", "model": "m", "dtype": "float32",
        "steps": 1, "guidance": 1.0, "width": 32, "height": 32, "status": status,
        "reason": None if status == "ok" else "of one colour",
    }  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


@pytest.fixture
def lake(store: LocalStore) -> Callable[..., Manifest]:
    """Writes a committed run of one shard."""

    def write(samples: list[dict[str, Any]], contents: dict[str, bytes | None], medium: Medium = "image") -> Manifest:
        kind = MEDIA[medium]
        others = {"sampling_rate": 8000} if medium == "audio" else {}
        ids = ("pair_id", "cell", "prompt_id", "seed")
        by_id = {sample["sample_id"]: {name: sample[name] for name in ids} for sample in samples}
        rows = [
            {"sample_id": key, **by_id[key], kind.file: content and {"bytes": content, "path": None}, **others}
            for key, content in contents.items()
        ]
        key = JobKey(GENERATION, shard="shard")
        tables = {"samples": (samples, SAMPLES.schema), kind.table.name: (rows, kind.table.schema)}
        parts = tuple(
            write_part(store, name, RUN, key.digest, "a", pa.Table.from_pylist(content, schema=schema))
            for name, (content, schema) in tables.items()
        )
        made = write_receipt(store, Receipt(key, RUN, parts, 1.0, {}, "baseline"))
        experiment = small().model_dump(mode="json")
        cells = [{"name": "baseline", "knob": {"kind": "vanilla"}}]
        identity = {"medium": medium}
        manifest = Manifest(RUN, "small", "committed", now(), experiment, identity, cells, "baseline", 1, len(samples))
        return write_manifest(store, replace(manifest, parts=parts, jobs=records_of({key: made}, manifest)))

    return write


def _score(store: LocalStore, metrics: list[str], reference: str | None = None) -> list[ScoreJob]:
    """What a flow does, without Ray."""
    state = read_state(store, find_run(store, None))
    jobs = left_of_run(store, state, expand(metrics, medium_of(state.manifest)), reference)
    worker = Worker(Needs(str(store.root), None, None, threads=1, gpus=0))
    for job in jobs:
        worker.run(job)
    commit_receipts(store, state, [], state.manifest.status)
    return jobs


def _values(store: LocalStore, metric: str) -> list[tuple[str, float | None, str | None]]:
    with sql.connect(store.root) as connection:
        statement = "SELECT sample_id, value, reason FROM scores WHERE metric = ? ORDER BY sample_id"
        return connection.execute(statement, [metric]).fetchall()


def test_what_cannot_be_scored_is_named(store: LocalStore, lake: Callable[..., Manifest]) -> None:
    samples = [_sample(0), _sample(1), _sample(2, "blank"), _sample(3), _sample(4), _sample(5)]
    lake(samples, {"s0": _png(), "s1": _png()[:200], "s2": _png(), "s4": _png("P"), "s5": None})
    _score(store, ["contrast"])
    scored = {key: (value, reason or "") for key, value, reason in _values(store, "contrast")}
    assert [key for key, (value, _) in scored.items() if value is not None] == ["s0", "s4"]
    said = {"s1": "the image is a damaged PNG", "s2": "is blank: of one colour", "s3": "is missing", "s5": "is missing"}
    assert all(said[key] in reason for key, (value, reason) in scored.items() if value is None)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_images_of_other_modes_are_read_as_rgb(store: LocalStore, lake: Callable[..., Manifest], mode: str) -> None:
    buffer = BytesIO()
    Image.open(BytesIO(_png())).convert(mode).save(buffer, "PNG")
    lake([_sample(0)], {"s0": buffer.getvalue()})
    _score(store, ["contrast"])
    luma = np.asarray(Image.open(buffer).convert("RGB")) @ [0.299, 0.587, 0.114]
    assert [value for _, value, _ in _values(store, "contrast")] == [pytest.approx(luma.std() / 255)]


def test_a_sample_that_is_there_twice_counts_once(store: LocalStore, lake: Callable[..., Manifest]) -> None:
    manifest = lake([_sample(0), _sample(0), _sample(1)], {"s0": _png(), "s1": _png(seed=1)})
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


def test_missing_weights_give_null_until_they_are_there(
    store: LocalStore, lake: Callable[..., Manifest], tiny: Path
) -> None:
    lake([_sample(0), _sample(1, prompt="")], {"s0": _png(), "s1": _png()})
    metrics = ["tiny_clip_score", "contrast"]
    assert len(_score(store, metrics)) == 2
    assert _score(store, metrics) == []
    assert [value for _, value, _ in _values(store, "tiny_clip_score")] == [None, None]
    assert "skewbench weights get tiny-clip" in str(_values(store, "tiny_clip_score")[0][2])
    save_tiny_clip(tiny)
    assert [job.scorer for job in _score(store, metrics)] == ["tiny_clip_score"]
    (_, value, _), (_, none, reason) = _values(store, "tiny_clip_score")
    assert value is not None
    assert -1 <= value <= 1
    assert (none, reason) == (None, "the prompt is empty")
    assert _score(store, metrics) == []
    # nothing is left of the first time
    assert not [one for one in scan_receipts(store, RUN)[0] if one.key.missing]
    assert len(list(store.list(f"scores/run_id={RUN}"))) == 2
    assert all(len(read_part(store, part)) == 2 for part in find_run(store, None).parts if part.table == "scores")


def test_killed_half_way_only_the_rest_is_computed(store: LocalStore, lake: Callable[..., Manifest]) -> None:
    lake([_sample(0), _sample(1)], {"s0": _png(), "s1": _png(seed=1)})
    metrics = ["contrast", "sharpness", "binding"]
    first, second, _ = left_of_run(store, read_state(store, find_run(store, None)), metrics)
    Worker(Needs(str(store.root), None, None, threads=1, gpus=0)).run(first)  # and no manifest names what it wrote
    orphan = write_part(store, "scores", RUN, second.key.digest, "dead", SCORES.schema.empty_table())
    assert [job.scorer for job in _score(store, metrics)] == ["sharpness", "binding"]
    assert _score(store, metrics) == []
    assert not store.exists(orphan.path)
    assert all(value is not None for metric in ("contrast", "sharpness") for _, value, _ in _values(store, metric))


def test_shards_that_were_set_aside_stay_named(store: LocalStore, lake: Callable[..., Manifest]) -> None:
    fault = FailedJob("generation of shard other", "out of memory", JobKey(GENERATION, shard="other"))
    write_manifest(store, replace(lake([_sample(0)], {"s0": _png()}), status="incomplete", failed_jobs=[fault]))
    _score(store, ["contrast"])
    after = find_run(store, None)
    assert (after.status, after.failed_jobs) == ("incomplete", [fault])


def test_weights_that_go_away_leave_the_scores(store: LocalStore, lake: Callable[..., Manifest], tiny: Path) -> None:
    lake([_sample(0)], {"s0": _png()})
    save_tiny_clip(tiny)
    _score(store, ["tiny_clip_score"])
    (tiny / "open_clip_model.safetensors").unlink()
    assert _score(store, ["tiny_clip_score"]) == []


def test_an_environment_decides_which_scores_are_left(
    store: LocalStore, lake: Callable[..., Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is no environment gives NULL. Another version scores again, but not on a machine without it."""
    register(monkeypatch, "toy", lambda: None, environment=Environment("by-hand", ("by_hand==1",)))
    monkeypatch.setenv("SKEWBENCH_ENV_BY_HAND", str(tmp_path / "by-hand"))
    lake([_sample(0)], {"s0": _png()})
    assert [job.key.missing for job in _score(store, ["toy"])] == [True]
    assert "no environment is there, since it has no bin/python" in str(_values(store, "toy")[0][2])
    assert _score(store, ["toy"]) == []
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


@pytest.fixture
def inception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Inception with seeded random weights, which are not those that were published; returns where they belong."""
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "weights"))
    name = "inception-2015-12-05"
    monkeypatch.setitem(WEIGHTS, name, replace(WEIGHTS[name], sha256=""))
    return tmp_path / "weights" / name / WEIGHTS[name].files[0]


def _sets(store: LocalStore) -> dict[str, tuple[float | None, str | None, int, str]]:
    with sql.connect(store.root) as connection:
        statement = 'SELECT metric, value, reason, n, "set" FROM group_scores WHERE prompt_id IS NULL'
        return {metric: tuple(row) for metric, *row in connection.execute(statement).fetchall()}


def test_cells_are_compared_with_a_folder(
    store: LocalStore, lake: Callable[..., Manifest], inception: Path, tmp_path: Path
) -> None:
    """What is no image is left out of the folder; without weights, and without a reference, the rows are NULL."""
    samples = [*(_sample(seed) for seed in range(7)), _sample(7, "nonfinite"), _sample(8)]
    lake(samples, {**{f"s{seed}": _png(seed=seed) for seed in range(8)}, "s8": b"broken"})
    folder = tmp_path / "real"
    folder.mkdir()
    for seed in range(8):
        (folder / f"{seed}.png").write_bytes(_png("L" if seed == 3 else "RGB", seed + 100))
    (folder / "readme.txt").write_text("images")
    assert len(_score(store, ["distribution"])) == 1
    assert "no reference; set" in str(_sets(store)["kid"][1])
    assert _score(store, ["distribution"]) == []
    assert len(_score(store, ["distribution"], str(folder))) == 1
    assert any("skewbench weights get inception" in str(row[1]) for row in _sets(store).values())
    save_inception(inception)
    assert len(_score(store, ["distribution"], str(folder))) == 1
    found = _sets(store)
    value, _, n, told = found["kid"]
    assert (value is not None, n) == (True, 7)
    assert re.search(r"against real \(8 images, [0-9a-f]{8}\)$", told)
    assert "FID would be mostly noise" in str(found["fid"][1])
    assert all(found[name][0] is not None for name in ("kid_error", "precision", "recall", "density", "coverage"))
    assert _score(store, ["distribution"], str(folder)) == []
    assert _score(store, ["distribution"]) == []
    assert len(find_run(store, None).parts) == 3


def test_a_run_compared_with_itself_is_alike(store: LocalStore, lake: Callable[..., Manifest], inception: Path) -> None:
    samples = [_sample(seed) for seed in range(7)]
    lake(samples, {f"s{seed}": _png(seed=seed) for seed in range(7)})
    save_inception(inception)
    _score(store, ["distribution"], RUN)
    found = _sets(store)
    assert found["kid"][0] is not None
    assert found["kid"][0] <= 0  # unbiased: below nought as often as above, where nothing differs below it
    assert [found[name][0] for name in ("precision", "recall", "coverage")] == [1, 1, 1]


def test_sounds_are_compared_with_a_folder_or_a_run(
    store: LocalStore, lake: Callable[..., Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18 waveforms, of which one is silent: more than the tiny CLAP has features."""
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "weights"))
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, (18, 2000))
    clips[3] = 0
    samples = [_sample(seed, "blank" if seed == 3 else "ok") for seed in range(18)]
    lake(samples, {f"s{seed}": encode(clips[seed], 8000) for seed in range(18)}, "audio")
    (tmp_path / "real").mkdir()
    for number, clip in enumerate(np.random.default_rng(1).uniform(-0.5, 0.5, (19, 2000))):
        (tmp_path / "real" / f"{number}.wav").write_bytes(encode(np.cumsum(clip) / 20, 8000))
    _score(store, ["fad_clap"], str(tmp_path / "real"))
    assert "skewbench weights get clap" in str(_sets(store)["fad_clap"][1])
    monkeypatch.setenv(WEIGHTS["clap-htsat-unfused"].variable, str(save_clap(tmp_path / "clap")))
    _score(store, ["fad_clap"], str(tmp_path / "real"))
    value, _, n, method = _sets(store)["fad_clap"]
    assert (value is not None, n) == (True, 17)
    assert re.search(r"all waveforms .* that are not silent, against real \(19 waveforms, [0-9a-f]{8}\)$", method)
    _score(store, ["fad_clap"], RUN)
    with sql.connect(store.root) as connection:
        values = connection.execute('SELECT value FROM group_scores WHERE "set" LIKE ?', [f"%{RUN}%"]).fetchall()
    assert values == [(pytest.approx(0, abs=1e-3),)]
    with pytest.raises(InputError, match=f"run {RUN} generated audio; images are required"):
        find_reference(store, RUN)


def test_a_reference_that_is_not_there(store: LocalStore, lake: Callable[..., Manifest], tmp_path: Path) -> None:
    lake([_sample(0)], {"s0": _png()})
    with pytest.raises(InputError, match="not a folder, and not a run"):
        find_reference(store, "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images in this folder"):
        find_reference(store, str(tmp_path / "empty"))


def test_required_metrics_fail_before_anything_is_generated(tiny: Path) -> None:
    check_metrics(["tiny_clip_score"])
    with pytest.raises(InputError, match=r"'tiny_clip_score' is required: weights tiny-clip are not on this machine"):
        check_metrics(["tiny_clip_score"], ["tiny_clip_score"])
    with pytest.raises(InputError, match="required: 'contrast' is not among the metrics"):
        small(required=["contrast"])
    with pytest.raises(InputError, match="no such scorer"):
        check_metrics(["beauty"])


def test_a_run_that_is_generated_is_not_scored(store: LocalStore, lake: Callable[..., Manifest]) -> None:
    write_manifest(store, replace(lake([_sample(0)], {"s0": _png()}), status="running"))
    with pytest.raises(InputError, match="not committed yet"):
        left_of_run(store, read_state(store, find_run(store, None)), ["contrast"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_missing_with_the_reason(value: float) -> None:
    fields = score_fields(declaration("sharpness"), "sharpness", Score(value))
    assert (fields["value"], fields["reason"]) == (None, f"the scorer returned {value}")
    assert score_fields(declaration("sharpness"), "sharpness", Score(0.5))["value"] == 0.5
