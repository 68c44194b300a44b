"""`skewbench status`: how far the runs of a lake are, and which of them somebody is at."""

from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from skewbench.flows.cli import app
from skewbench.storage.attempts import JobCounts, count_jobs
from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run, write_manifest
from skewbench.storage.receipts import Receipt, receipt_content, receipt_path
from skewbench.storage.records import Manifest
from skewbench.storage.state import keys_of
from skewbench.storage.store import LocalStore
from tests.lakes import Lake, made


def _told(lake: Path) -> str:
    return CliRunner().invoke(app, ["status", "--lake", str(lake)]).stdout


def _done(lake: Path, *keys: JobKey) -> JobCounts:
    """Counts of a run with these receipts, by what `status` counts."""
    store = LocalStore(lake)
    for key in keys:
        store.put(receipt_path("r-1", key), receipt_content(Receipt(key, "r-1", (), 1.0, {})))
    return count_jobs(keys_of(store, Manifest("r-1", "r", "running", "")))


def test_several_references_and_versions_of_a_scorer_count_once(tmp_path: Path) -> None:
    fid = JobKey(SCORES, cell="a.v1-b", scorer="fid", version=1)
    versions = (
        replace(fid, reference="0a1b2c3d"),
        replace(fid, reference="4e5f6a7b"),
        replace(fid, version=2, reference="0a1b2c3d"),
        replace(fid, version=2, missing=True),
    )
    others = (replace(fid, scorer="vendi"), JobKey(SCORES, shard="0-0", scorer="clip", version=1))
    assert _done(tmp_path, *versions, *others) == JobCounts(generated=0, scores=6, scored=3)


def test_a_run_that_nobody_drives_is_stopped(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    run = find_run(store, made(tmp_path, Lake(images=False)))
    assert "committed" in _told(tmp_path)
    write_manifest(store, replace(run, status="running"))
    assert "stopped" in _told(tmp_path)
    with Lease(store, run.run_id):
        assert "running" in _told(tmp_path)
    assert "stopped" in _told(tmp_path)


def test_what_is_late_and_what_fell_short_is_told(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    run = find_run(store, made(tmp_path, Lake(images=False)))
    short = [{"cell": "baseline", "reason": "4 of 4 samples have no usable image\x1b[2J"}]
    write_manifest(store, replace(run, status="incomplete", shortfalls=short))
    assert f"{run.run_id}: cell baseline: 4 of 4 samples have no usable image\\x1b[2J\n" in _told(tmp_path)
    with Lease(store, run.run_id) as lease:
        lease.note(lambda: ["generation-1 of cell skew: process 7 on node-1 has been computing for 90 s"])
        store.put(f"_leases/{run.run_id}.json", lease._content())  # as the next heartbeat does
        assert f"{run.run_id}: generation-1 of cell skew: process 7 on node-1" in _told(tmp_path)


def test_attempts_at_a_shard_count_once(tmp_path: Path) -> None:
    shard, clip = JobKey(GENERATION, shard="0a"), JobKey(SCORES, shard="0a", scorer="clip", version=1)
    again = replace(clip, retry=1, reference="0f1e", missing=True)
    assert _done(tmp_path, shard, replace(shard, retry=1), clip, again) == JobCounts(generated=1, scores=2, scored=1)
