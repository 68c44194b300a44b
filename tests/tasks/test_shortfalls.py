"""Nothing that failed is called done: cells without usable images, attempts at a shard, required metrics."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skewbench import sql
from skewbench.storage.attempts import JobCounts, count_jobs
from skewbench.storage.compact import compact_run
from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run
from skewbench.storage.receipts import Receipt, receipt_content, receipt_path, write_receipt
from skewbench.storage.records import Manifest
from skewbench.storage.repair import repair
from skewbench.storage.state import keys_of, read_state
from skewbench.storage.store import LocalStore
from skewbench.storage.verify import check_parts
from skewbench.tasks import generate
from skewbench.tasks.drive import analyse_run
from skewbench.tasks.jobs import GenerateJob
from skewbench.tasks.run import Run, caught_up, commit, generation_left, prepare, scoring_left
from skewbench.tasks.shortfalls import (
    is_generated,
    raise_if_incomplete,
    raise_unless_scored,
    shortfalls,
    without_required,
)
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.errors import IncompleteRunError, RunError
from tests.lakes import Lake, made
from tests.tasks.experiments import small
from tests.tasks.starts import committed, finished, started, state_of, to_generate


@pytest.fixture
def run(tmp_path: Path, tiny_sdxl: Path) -> Run:
    """Two cells of two shards of two samples each."""
    torch.set_num_threads(1)
    return prepare(small(model={"id": str(tiny_sdxl)}, metrics=["contrast"]), str(tmp_path / "lake"))


class _Failing:
    """Fails for these samples, and only them, while it is within."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.samples: set[str] = set()
        whole = generate.generate_batch

        def fails(pipeline: Any, samples: Any, *rest: Any) -> Any:
            if self.samples & {sample.sample_id for sample in samples}:
                raise ValueError("no such\nthing")
            return whole(pipeline, samples, *rest)

        monkeypatch.setattr(generate, "generate_batch", fails)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> _Failing:
    return _Failing(monkeypatch)


def _start(run: Run) -> Manifest:
    """What a start does, without Ray or Prefect."""
    worker = Worker(run.needs)
    with Lease(run.store, run.id) as lease:
        state = caught_up(run, lease)
    state.fold([worker.run(replace(job, one_by_one=True)) for job in generation_left(run, state)])
    commit(run, state, [])
    state.fold([worker.run(score) for score in scoring_left(run, state)])
    return commit(run, state, [])


def _rows(run: Run) -> dict[str, list[Any]]:
    with sql.connect(run.store.lake, run.id) as lake:
        statements = {
            "samples": "SELECT cell, prompt_id, seed, status FROM samples ORDER BY ALL",
            "scores": "SELECT cell, prompt_id, seed, value FROM scores ORDER BY ALL",
        }
        return {table: lake.execute(statement).fetchall() for table, statement in statements.items()}


def _ids(run: Run, *shards: int) -> set[str]:
    return {sample.sample_id for shard in shards for sample in run.shards[shard].samples}


def test_a_run_of_which_every_image_failed_is_incomplete_and_tried_again(run: Run, failing: _Failing) -> None:
    failing.samples = _ids(run, 0, 1, 2, 3)
    said = []
    for _ in range(3):  # each start tries once, and says the same
        manifest = _start(run)
        assert (manifest.status, finished(run)) == ("incomplete", False)
        with pytest.raises(IncompleteRunError) as raised:
            raise_if_incomplete(manifest)
        said.append(str(raised.value))
        assert len(to_generate(run)) == 4
    reason = "4 of 4 samples have no usable image (4 failed; most common: ValueError: no such thing)"
    assert f"\n  cell baseline: {reason}\n  cell skew: {reason}\nRun the same command again" in said[0]
    assert said == [said[0]] * 3
    failing.samples = set()
    manifest = _start(run)
    raise_if_incomplete(manifest)
    assert (manifest.status, manifest.shortfalls, to_generate(run)) == ("committed", [], [])
    rows = _rows(run)
    assert [row[-1] for row in rows["samples"]] == ["ok"] * 8
    assert len(rows["scores"]) == 8
    assert all(row[-1] is not None for row in rows["scores"])
    assert check_parts(run.store, manifest) == []
    assert count_jobs(keys_of(run.store, manifest)) == JobCounts(generated=4, scores=4, scored=4)


@pytest.mark.parametrize(("value", "status"), [(np.nan, "nonfinite"), (0.0, "blank")])
def test_a_run_whose_images_are_all_of_one_colour_or_not_finite_is_incomplete(
    run: Run, monkeypatch: pytest.MonkeyPatch, value: float, status: str
) -> None:
    """An autoencoder in fp16 may return nothing but NaN, or black."""
    whole = generate.generate_batch

    def broken(*arguments: Any) -> Any:
        pixels = whole(*arguments)
        pixels[:] = value
        return pixels

    monkeypatch.setattr(generate, "generate_batch", broken)
    manifest = _start(run)
    assert manifest.status == "incomplete"
    for shortfall, cell in zip(manifest.shortfalls, ("baseline", "skew"), strict=True):
        assert shortfall["cell"] == cell
        assert shortfall["reason"].startswith(f"4 of 4 samples have no usable image (4 {status}; most common: ")
    rows = _rows(run)
    assert [row[-1] for row in rows["samples"]] == [status] * 8
    assert [row[-1] for row in rows["scores"]] == [None] * len(rows["scores"])
    with pytest.raises(IncompleteRunError):
        raise_unless_scored(manifest, ["contrast"])


@pytest.mark.parametrize(("failed", "short"), [(1, False), (20, False), (21, True), (99, True), (100, True)])
def test_how_many_samples_may_fail(run: Run, failed: int, short: bool) -> None:
    """One bad sample in a hundred leaves a run complete."""
    shard = replace(run.shards[0], samples=run.shards[0].samples * 50)
    counts = {"ok": 100 - failed, "blank": failed - 1, "nonfinite": 1}
    key = JobKey(GENERATION, shard=shard.id)
    receipts = {key: Receipt(key, run.id, (), 1.0, counts, "baseline")}
    assert bool(shortfalls([shard], receipts, 0.2)) is short
    assert bool(shortfalls([shard], receipts, 1.0)) is (failed == 100)  # a cell without any usable image always is


def test_only_shards_with_bad_samples_of_short_cells_are_tried_again(run: Run, failing: _Failing) -> None:
    failing.samples = _ids(run, 1)
    before = _start(run)
    assert [shortfall["cell"] for shortfall in before.shortfalls] == ["baseline"]
    (left,) = to_generate(run)
    key = JobKey(GENERATION, shard=run.shards[1].id, retry=1)
    assert (left.shard, left.retry, left.key) == (run.shards[1], 1, key)
    before_of = {part for one in state_of(run).receipts.values() if one.key.shard == key.shard for part in one.parts}
    failing.samples = set()
    after = _start(run)
    kept = set(before.parts) - before_of
    assert kept < set(after.parts)
    assert {part.table for part in set(after.parts) - kept} == {"samples", "images", "stability", "scores"}


def test_a_worse_attempt_replaces_nothing(run: Run, failing: _Failing) -> None:
    failing.samples = {run.shards[0].samples[0].sample_id}
    before = _start(run)
    failing.samples = _ids(run, 0)
    after = _start(run)
    assert (set(after.parts), after.shortfalls) == (set(before.parts), before.shortfalls)
    assert [job.retry for job in to_generate(run)] == [1]


def test_until_the_manifest_names_the_new_parts_the_old_ones_are_there(run: Run, failing: _Failing) -> None:
    """A driver that dies in the second attempt, and a late worker of the first one."""
    failing.samples = _ids(run, 0, 1)
    _start(run)
    first = state_of(run).receipts
    failing.samples = set()
    worker = Worker(run.needs)
    for job in to_generate(run):
        worker.run(job)
    assert check_parts(run.store, find_run(run.store, run.id)) == []  # nothing that it names is gone
    assert to_generate(run) == []
    _start(run)
    assert [row[-1] for row in _rows(run)["samples"]] == ["ok"] * 8
    late = first[GenerateJob(run.shards[0]).key]
    with pytest.raises(RunError, match="were deleted before its receipt was written"):
        write_receipt(run.store, late)
    assert to_generate(run) == []
    again = committed(run)
    assert check_parts(run.store, again) == []
    assert late.key not in state_of(run).receipts
    assert [row[-1] for row in _rows(run)["samples"]] == ["ok"] * 8


def test_an_earlier_attempt_does_not_count_again_after_a_repair(run: Run, failing: _Failing) -> None:
    failing.samples = _ids(run, 0, 1)
    _start(run)
    first = state_of(run).receipts[GenerateJob(run.shards[0]).key]
    failing.samples = set()
    manifest = _start(run)
    # as if its driver had died before it deleted the receipt; its parts are gone
    run.store.put(receipt_path(run.id, first.key), receipt_content(first))
    of_shard = next(one for one in state_of(run).receipts.values() if one.key == replace(first.key, retry=1))
    broken = next(part for part in of_shard.parts if part.table == "images")
    run.store.put(broken.path, b"rubbish")
    repair(run.store, run.id, check_parts(run.store, manifest))
    assert [(job.shard, job.retry) for job in to_generate(run)] == [(run.shards[0], 0)]
    again = _start(run)
    assert (again.status, check_parts(run.store, again)) == ("committed", [])
    assert len(_rows(run)["scores"]) == 8


def test_a_limit_that_is_lowered_counts_for_a_committed_run(run: Run, failing: _Failing) -> None:
    failing.samples = {run.shards[0].samples[0].sample_id}
    lenient = replace(run, experiment=run.experiment.model_copy(update={"max_unusable": 0.5}))
    assert _start(lenient).status == "committed"
    assert to_generate(lenient) == []
    assert len(to_generate(run)) == 1
    compact_run(run.store, started(lenient).manifest)
    assert to_generate(run) == []  # its rows lie in one file with those of others
    assert not finished(run)
    with Lease(run.store, run.id) as lease:
        manifest = caught_up(run, lease).manifest
    assert manifest.status == "incomplete"
    assert (
        "1 of its shards were compacted with others and cannot be generated again" in manifest.shortfalls[0]["reason"]
    )


def test_a_required_metric_without_any_value_in_a_cell(run: Run) -> None:
    required = run.experiment.model_copy(update={"metrics": ("contrast", "binding"), "required": ("contrast",)})
    run = replace(run, experiment=required)
    manifest = _start(run)
    with sql.connect(run.store.lake, run.id) as lake:
        assert without_required(lake, ["contrast"]) == []
        (first, second) = without_required(lake, ["distribution"])
        assert (first["cell"], second["cell"]) == ("baseline", "skew")
        assert "required metric distribution has no value (most common reason: it was not scored)" in first["reason"]
        lake.execute(
            "CREATE OR REPLACE VIEW scores AS SELECT * REPLACE (NULL::DOUBLE AS value, 'no' AS reason) FROM all_scores"
        )
        assert [one["cell"] for one in without_required(lake, ["contrast"])] == ["baseline", "skew"]
        assert "(most common reason: no)" in without_required(lake, ["contrast"])[0]["reason"]
    short = replace(manifest, status="incomplete", shortfalls=[first])
    assert is_generated(read_state(run.store, short))  # so that sets are scored, and it can become whole
    assert not is_generated(read_state(run.store, replace(short, shards=5)))
    blank = [{"cell": "skew", "reason": "blank"}]
    assert not is_generated(read_state(run.store, replace(short, shortfalls=blank)))
    assert commit(run, read_state(run.store, short), []).status == "incomplete"


def test_analysis_calls_a_run_without_a_required_metric_incomplete(tmp_path: Path) -> None:
    asked = {"name": "toy", "description": "", "metrics": ["scene"], "required": ["aesthetics"]}
    store = LocalStore(tmp_path)
    run_id = made(tmp_path, Lake(prompts=3, images=False), experiment=asked)
    judged = analyse_run(store, read_state(store, find_run(store, run_id)), Lease(store, run_id))
    assert find_run(store, run_id).status == judged.status == "incomplete"
    assert {one["metric"] for one in judged.shortfalls} == {"aesthetics"}
    with pytest.raises(IncompleteRunError, match="the required metric aesthetics has no value"):
        raise_if_incomplete(judged)
