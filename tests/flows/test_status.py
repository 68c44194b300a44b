"""`skewbench status`: how far the runs of a lake are, and which of them somebody is at."""

from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from skewbench.flows.cli import app
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run, write_manifest
from skewbench.storage.parts import count_receipts, receipt_path
from skewbench.storage.store import LocalStore
from tests.lakes import Lake, made


def _told(lake: Path) -> str:
    return CliRunner().invoke(app, ["status", "--lake", str(lake)]).stdout


def test_several_references_and_versions_of_a_scorer_count_once(tmp_path: Path) -> None:
    for key in ("fid.v1-0a1b2c3d", "fid.v1-4e5f6a7b", "fid.v2-0a1b2c3d", "fid.v2.missing", "vendi.v1"):
        LocalStore(tmp_path).put(receipt_path("r-1", f"scores-cell.a.v1-b-{key}"), b"")
    LocalStore(tmp_path).put(receipt_path("r-1", "scores-0-0-clip.v1"), b"")
    assert count_receipts(LocalStore(tmp_path), "r-1") == {"generation": 0, "scores": 6, "scored": 3}


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
    for key in ("generation-0a", "generation-0a.retry1", "scores-0a-clip.v1", "scores-0a-clip.v1.retry1-0f1e.missing"):
        LocalStore(tmp_path).put(receipt_path("r-1", key), b"")
    assert count_receipts(LocalStore(tmp_path), "r-1") == {"generation": 1, "scores": 2, "scored": 1}
