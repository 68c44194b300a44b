"""What a start finds that earlier starts left: nothing of a run may be stuck."""

from dataclasses import replace
from pathlib import Path

import pytest

from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run, now, write_manifest
from skewbench.storage.receipts import Receipt, write_receipt
from skewbench.storage.records import Manifest, Part
from skewbench.tasks.run import Run, caught_up, prepare
from skewbench.vocabulary.errors import InputError, RunError
from tests.tasks.experiments import small
from tests.tasks.starts import committed, finished, started, to_generate


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
    assert finished(run)


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
