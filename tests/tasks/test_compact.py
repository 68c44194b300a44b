"""Compaction: the same rows in fewer files, killed anywhere nothing is lost, and what follows still works."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from skewbench import sql
from skewbench.storage.compact import compact_run
from skewbench.storage.manifest import write_manifest
from skewbench.storage.receipts import scan_receipts, write_receipt
from skewbench.storage.records import Manifest
from skewbench.storage.repair import send_back
from skewbench.storage.store import Store
from skewbench.storage.verify import check_parts
from skewbench.tasks.run import Run, prepare
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.errors import InputError
from tests.tasks.experiments import small
from tests.tasks.starts import committed, started, to_generate, to_score


@pytest.fixture
def run(store: Store, tiny_sdxl: Path) -> Run:
    """A committed run of four shards, scored by one of two scorers."""
    run = prepare(small(model={"id": str(tiny_sdxl)}), store.lake)
    started(run)
    torch.set_num_threads(1)
    worker = Worker(run.needs)
    for job in to_generate(run):
        worker.run(job)
    for score in to_score(run):
        if score.scorer == "binding":
            worker.run(score)
    committed(run)
    return run


def _rows(store: Store) -> dict[str, list[dict[str, Any]]]:
    order = {"images": "sample_id", "scores": "sample_id, metric", "samples": "sample_id"}
    with sql.connect(store.lake) as lake:
        tables = {
            table: lake.execute(f"SELECT * FROM {table} ORDER BY {order.get(table, 'ALL')}").pl()
            for table in ("samples", "images", "scores", "group_scores")
        }
        tables["stability"] = lake.execute("SELECT * FROM stability ORDER BY sample_id, block, branch").pl()
    return {name: frame.select(pl.all()).to_dicts() for name, frame in tables.items()}


def test_same_rows_in_fewer_files(run: Run) -> None:
    before = _rows(run.store)
    compacted = compact_run(run.store, started(run).manifest)
    assert _rows(run.store) == before
    assert sorted(part.table for part in compacted.parts) == ["images", "samples", "scores", "stability"]
    assert sorted(path for path in run.store.list("") if path.endswith(".parquet")) == sorted(
        part.path for part in compacted.parts
    )
    assert check_parts(run.store, compacted) == []
    assert compact_run(run.store, compacted).parts == compacted.parts


def test_target_bounds_a_file(run: Run) -> None:
    images = [part for part in started(run).manifest.parts if part.table == "images"]
    two = sum(sorted(part.bytes for part in images)[-2:]) + 10  # any two fit, and no three
    compacted = compact_run(run.store, started(run).manifest, target=two)
    assert len([part for part in compacted.parts if part.table == "images"]) == 2


class _Killed(Exception):
    pass


class _DiesAfter:
    """A store whose process dies before its n-th change."""

    def __init__(self, store: Store, changes: int) -> None:
        self._store, self._left = store, changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _tick(self) -> None:
        if self._left == 0:
            raise _Killed
        self._left -= 1

    def put(self, path: str, content: bytes) -> None:
        self._tick()
        self._store.put(path, content)

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        self._tick()
        return bool(self._store.swap(path, old, new))

    def delete(self, *paths: str) -> None:
        for path in paths:
            self._tick()
            self._store.delete(path)


@pytest.mark.parametrize("every", [15, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_anywhere_nothing_is_lost(run: Run, every: int) -> None:
    """At each change of the store; the short version takes one of fifteen."""
    if run.store.lake.startswith("gs://"):
        pytest.skip("another bucket is killed everywhere already, by a server that is ten times as fast")
    before, files = _rows(run.store), {path: run.store.read(path) for path in run.store.list("")}
    deaths = 0
    while True:
        run.store.delete(*run.store.list(""))
        for path, content in files.items():
            run.store.put(path, content)
        try:
            compact_run(_DiesAfter(run.store, deaths), started(run).manifest)
            break
        except _Killed:
            deaths += every
        assert _rows(run.store) == before
        assert compact_run(run.store, started(run).manifest).status == "committed"
        assert _rows(run.store) == before
    assert deaths > 10


def test_scoring_goes_on_after_compaction(run: Run) -> None:
    compact_run(run.store, started(run).manifest)
    left = to_score(run)
    assert {job.scorer for job in left} == {"msssim_diversity"}
    worker = Worker(run.needs)
    for job in left:
        worker.run(job)
    before = _rows(run.store)["samples"]
    committed(run)
    rows = _rows(run.store)
    assert len(rows["group_scores"]) == 4
    assert rows["samples"] == before


def test_a_broken_large_file_sends_its_shards_back_and_no_row_is_doubled(run: Run) -> None:
    before = _rows(run.store)
    manifest = compact_run(run.store, started(run).manifest)
    broken = next(part for part in manifest.parts if part.table == "images")
    run.store.put(broken.path, b"rubbish")
    send_back(run.store, manifest, check_parts(run.store, manifest))
    assert len(to_generate(run)) == 4
    worker = Worker(run.needs)
    for job in to_generate(run):
        worker.run(job)
    assert committed(run).status == "committed"
    again = [job for job in to_score(run) if job.scorer == "binding"]
    assert len(again) == 4  # their scores were read off what is broken
    for score in again:
        worker.run(score)
    committed(run)
    after = _rows(run.store)
    for table in ("images", "scores", "stability"):
        assert after[table] == before[table]


def test_only_committed_runs(run: Run) -> None:
    manifest = write_manifest(run.store, Manifest(**{**vars(started(run).manifest), "status": "incomplete"}))
    with pytest.raises(InputError, match="incomplete: only committed"):
        compact_run(run.store, manifest)


def test_late_receipt_of_a_compacted_shard_is_refused(run: Run) -> None:
    """A zombie worker that ends after compaction finds the first receipt, and deletes its own parts alone."""
    compacted = compact_run(run.store, started(run).manifest)
    receipt = scan_receipts(run.store, run.id)[0][0]
    assert write_receipt(run.store, receipt) == receipt
    assert check_parts(run.store, compacted) == []
