"""Parts, receipts, manifest, lease: what the lake promises."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sql.schemas import SCORES
from tasks.errors import InputError, RunError
from tasks.lake import lease as lease_module
from tasks.lake.lease import Lease
from tasks.lake.manifest import Manifest, delete_unnamed, find_run, list_runs, now, read_manifest, write_manifest
from tasks.lake.parts import Part, Receipt, read_part, read_receipts, write_part, write_receipt
from tasks.lake.remove import remove_run
from tasks.lake.store import LocalStore, open_store
from tasks.lake.verify import check_parts, send_back

RUN = "small-0123abcd"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def _rows(value: float) -> pa.Table:
    ids = {"sample_id": "s", "pair_id": "p", "cell": "c", "prompt_id": "q", "seed": 0}
    row = {**ids, "metric": "m", "value": value, "reason": None, "scorer": "m", "scorer_version": 1}
    return pa.Table.from_pylist([row], schema=SCORES)


def _part(store: LocalStore, attempt: str, value: float = 1.0) -> Part:
    return write_part(store, "scores", RUN, "shard", attempt, _rows(value))


def _receipt(part: Part) -> Receipt:
    return Receipt("scores-shard-m.v1", RUN, "shard", (part,), 1.0, {"scores": 1})


def _manifest(*parts: Part, status: str = "committed") -> Manifest:
    empty: dict[str, object] = {}
    return Manifest(RUN, "small", status, now(), empty, empty, [], None, 1, 1, parts=parts)


def test_part_comes_back_and_knows_its_run(store: LocalStore) -> None:
    part = _part(store, "a", 2.5)
    assert read_part(store, part).column("value").to_pylist() == [2.5]
    file = pq.ParquetFile(store.root / part.path)
    assert file.schema_arrow.metadata[b"skewbench.run_id"] == RUN.encode()
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert (part.rows, part.bytes) == (1, (store.root / part.path).stat().st_size)


def test_rows_of_another_schema_are_refused(store: LocalStore) -> None:
    with pytest.raises(KeyError):
        write_part(store, "scores", RUN, "shard", "a", _rows(1.0).drop_columns(["metric"]))
    assert store.list("scores") == []


def test_first_receipt_wins_and_the_late_one_cleans_up(store: LocalStore) -> None:
    first, late = _receipt(_part(store, "first")), _receipt(_part(store, "late"))
    assert write_receipt(store, first) == first
    assert write_receipt(store, late) == first
    assert store.list("scores") == [first.parts[0].path]
    assert read_receipts(store, RUN) == {first.key: first}


def test_no_temporary_file_is_left_or_listed(store: LocalStore) -> None:
    write_receipt(store, _receipt(_part(store, "a")))
    assert list((store.root / "_temporary").iterdir()) == []


def test_abandoned_temporary_files_are_swept(store: LocalStore) -> None:
    store.put("x", b"")
    for name, age in (("old", 7200), ("young", 0)):
        path = store.root / "_temporary" / name
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    store.check_writable()
    assert [path.name for path in (store.root / "_temporary").iterdir()] == ["young"]


def test_manifest_comes_back(store: LocalStore) -> None:
    manifest = write_manifest(store, _manifest(_part(store, "a")))
    assert read_manifest(store, RUN) == manifest
    assert read_manifest(store, "other") is None
    assert list_runs(store) == [manifest]


def test_broken_manifest_is_named(store: LocalStore) -> None:
    store.put(f"_runs/{RUN}.json", b"{}")
    with pytest.raises(InputError, match=RUN):
        read_manifest(store, RUN)


def test_runs_are_found_by_their_beginning(store: LocalStore) -> None:
    with pytest.raises(InputError, match="no runs in it"):
        find_run(store, None)
    write_manifest(store, _manifest())
    write_manifest(store, replace(_manifest(), run_id="small-9999"))
    assert find_run(store, "small-01").run_id == RUN
    with pytest.raises(InputError, match="matches several"):
        find_run(store, "small")
    with pytest.raises(InputError, match="no such run"):
        find_run(store, "large")


def test_commit_leaves_what_the_manifest_names(store: LocalStore) -> None:
    kept, orphan = _part(store, "kept"), _part(store, "orphan")
    assert delete_unnamed(store, _manifest(kept)) == [orphan.path]
    assert store.list("scores") == [kept.path]


def test_verify_names_each_kind_of_fault_and_repair_sends_it_back(store: LocalStore) -> None:
    parts = [write_part(store, "scores", RUN, f"s{i}", "a", _rows(i)) for i in range(4)]
    for i, part in enumerate(parts):
        write_receipt(store, Receipt(f"scores-s{i}-m.v1", RUN, f"s{i}", (part,), 1.0, {}))
    manifest = write_manifest(store, _manifest(*parts))
    assert check_parts(store, manifest) == []
    gone, short, flipped, _ = (store.root / part.path for part in parts)
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    faults = check_parts(store, manifest)
    assert [fault.part for fault in faults] == parts[:3]
    assert [fault.what.split()[0] for fault in faults] == ["is", "has", "has"]
    repaired = send_back(store, manifest, faults)
    assert (repaired.status, repaired.parts) == ("incomplete", (parts[3],))
    assert list(read_receipts(store, RUN)) == ["scores-s3-m.v1"]
    assert store.list("scores") == [parts[3].path]


def test_second_driver_is_told_who_drives(store: LocalStore) -> None:
    with Lease(store, RUN), pytest.raises(RunError, match=f"process {os.getpid()}"), Lease(store, RUN):
        pass
    assert store.list("_leases") == []


@pytest.mark.parametrize("change", [{"time": 0.0}, {"pid": 2**22 + 1}])
def test_lease_of_the_dead_is_taken_over(store: LocalStore, change: dict[str, float]) -> None:
    with Lease(store, RUN):
        left = json.loads(store.read(f"_leases/{RUN}.json"))
    store.put(f"_leases/{RUN}.json", json.dumps({**left, **change}).encode())
    with Lease(store, RUN):
        assert json.loads(store.read(f"_leases/{RUN}.json"))["pid"] == os.getpid()


def test_a_driver_that_slept_too_long_learns_that_it_lost(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT", 0.01)
    lost = threading.Event()
    with Lease(store, RUN) as lease:
        lease.on_lost = lost.set
        store.put(f"_leases/{RUN}.json", b'{"token": "other"}')
        assert lost.wait(5)
    assert store.exists(f"_leases/{RUN}.json")  # it is the other's


def test_remove_deletes_all_of_a_run_and_nothing_else(store: LocalStore) -> None:
    write_receipt(store, _receipt(_part(store, "a")))
    write_manifest(store, _manifest())
    write_manifest(store, replace(_manifest(), run_id="other-1"))
    remove_run(store, RUN)
    assert store.list("") == ["_runs/other-1.json"]


@pytest.mark.parametrize("lake", ["s3://bucket/lake", "/proc/no-such/lake"])
def test_bad_lake(lake: str) -> None:
    with pytest.raises(InputError, match="lake"):
        open_store(lake).check_writable()
