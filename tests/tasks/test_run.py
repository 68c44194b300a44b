"""What a start finds that earlier starts left: nothing of a run may be stuck."""

from dataclasses import replace
from pathlib import Path

import pytest

from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run, now, write_manifest
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.receipts import Receipt, write_receipt
from skewbench.storage.records import Manifest, Part
from skewbench.storage.tables.scores import SCORES
from skewbench.tasks.drive import analyse_run
from skewbench.tasks.run import Run, caught_up, prepare, start
from skewbench.vocabulary.errors import InputError, RunError
from tests.flows.command import run_in_process
from tests.tasks.experiments import small
from tests.tasks.starts import committed, finished, started, state_of, to_generate, to_score


@pytest.fixture
def run(tmp_path: Path, tiny_sdxl: Path) -> Run:
    return prepare(small(model={"id": str(tiny_sdxl)}, metrics=[]), str(tmp_path / "lake"))


def _generated(run: Run, shards: int) -> None:
    for job in to_generate(run)[:shards]:
        write_receipt(run.store, Receipt(job.key, run.id, (), 1.0, {}))


def _caught_up(run: Run) -> Manifest:
    with Lease(run.store, run.id) as lease:
        return caught_up(run, lease).manifest


def test_a_run_whose_driver_died_before_it_could_commit(run: Run) -> None:
    started(run)
    _generated(run, len(run.shards) - 1)
    assert _caught_up(run).status == "running"  # shards are left, whose driver commits
    _generated(run, 1)
    assert _caught_up(run).status == find_run(run.store, run.id).status == "committed"


def test_a_run_of_which_nothing_is_left_is_incomplete_no_more(run: Run) -> None:
    begun = started(run).manifest
    _generated(run, len(run.shards))
    write_manifest(run.store, replace(begun, status="incomplete"))
    assert not finished(run)
    assert _caught_up(run).status == "committed"


def test_a_committed_run_that_lacks_a_shard_is_not_finished(run: Run) -> None:
    """As one whose repair was killed between receipts and manifest."""
    begun = started(run).manifest
    _generated(run, len(run.shards) - 1)
    answers = Part("analysis", f"analysis/run_id={run.id}/analysis.0.parquet", 0, 0, "", 0)
    write_manifest(run.store, replace(begun, status="committed", parts=(answers,)))
    assert not finished(run)
    _generated(run, 1)
    assert not finished(run)  # the manifest does not name the shard yet
    _caught_up(run)
    assert finished(run)


def _scored(run: Run) -> Run:
    """All is computed, so that no job is left; but the driver died before it could commit the scores."""
    asking = replace(run, experiment=run.experiment.model_copy(update={"metrics": ("contrast",)}))
    started(asking)
    _generated(asking, len(run.shards))
    committed(asking)
    for job in to_score(asking):
        part = write_part(run.store, SCORES.name, run.id, job.key.shard, new_attempt(), SCORES.of_rows([]))
        write_receipt(run.store, Receipt(job.key, run.id, (part,), 1.0, {}))
    assert not to_score(asking)
    return asking


def test_scores_whose_driver_died_before_it_could_commit(run: Run) -> None:
    asking = _scored(run)
    assert len(state_of(asking).uncommitted()) == len(run.shards)
    assert not finished(asking)
    manifest = _caught_up(asking)
    assert sum(part.table == "scores" for part in manifest.parts) == len(run.shards)
    assert not state_of(asking).uncommitted()


def test_an_analysis_commits_what_an_earlier_driver_left(run: Run) -> None:
    asking = _scored(run)
    with Lease(run.store, run.id) as lease:
        manifest = analyse_run(run.store, start(asking, lease), lease)
    assert sum(part.table == "scores" for part in manifest.parts) == len(run.shards)


def test_verify_counts_what_is_not_committed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _scored(run)
    verified = run_in_process(monkeypatch, "verify", run.id, "--lake", run.store.lake)
    assert f"note: {len(run.shards)} jobs of {run.id} are done but not committed yet" in verified.stderr


def test_a_run_that_was_begun_with_workers_that_no_experiment_has(run: Run) -> None:
    manifest = started(run).manifest
    write_manifest(run.store, replace(manifest, experiment={**manifest.experiment, "workers": {"shard": "many"}}))
    with pytest.raises(InputError, match=r"experiment\.workers: "):
        prepare(run.experiment, run.store.lake)


def test_a_run_that_is_being_removed_does_not_start(run: Run) -> None:
    write_manifest(run.store, Manifest(run.id, run.id, "removing", now()))  # all that a broken manifest leaves
    with pytest.raises(RunError, match=f"runs rm {run.id}"):
        prepare(run.experiment, run.store.lake)


def test_a_run_that_goes_on_with_other_metrics_knows_them_all(run: Run) -> None:
    def asking_for(*metrics: str) -> Run:
        return replace(run, experiment=run.experiment.model_copy(update={"metrics": metrics}))

    started(asking_for("contrast"))
    more = asking_for("sharpness", "contrast")
    committed(more)
    assert find_run(run.store, run.id).experiment["metrics"] == ["contrast", "sharpness"]
    committed(run)  # which asks for none, and what is scored stays
    assert find_run(run.store, run.id).experiment["metrics"] == ["contrast", "sharpness"]


def test_a_run_keeps_what_it_knew_of_its_metrics(run: Run) -> None:
    asking = replace(run, experiment=run.experiment.model_copy(update={"metrics": ("contrast",)}))
    begun = started(asking).manifest
    assert [(metric["name"], metric["better"]) for metric in begun.metrics] == [("contrast", "neither")]
    known = [{**begun.metrics[0], "label": "as it was called then"}]
    write_manifest(run.store, replace(begun, metrics=known))
    more = replace(run, experiment=run.experiment.model_copy(update={"metrics": ("contrast", "sharpness")}))
    committed(more)
    labels = {metric["name"]: metric["label"] for metric in find_run(run.store, run.id).metrics}
    assert labels == {"contrast": "as it was called then", "sharpness": "Sharpness"}
