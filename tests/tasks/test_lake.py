"""Parts, receipts, manifest, lease: what the lake promises."""

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skewbench.storage import store as store_module
from skewbench.storage.commit import commit_manifest
from skewbench.storage.keys import SCORES as SCORES_OF
from skewbench.storage.keys import JobKey, JobRecord
from skewbench.storage.location import LakeUnreachable
from skewbench.storage.manifest import find_run, list_runs, now, read_manifest, write_manifest
from skewbench.storage.parts import read_part, write_part
from skewbench.storage.receipts import Receipt, scan_receipts, write_receipt
from skewbench.storage.records import Manifest, Part, Status
from skewbench.storage.remove import remove_run
from skewbench.storage.repair import repair, send_back
from skewbench.storage.store import LocalStore, Store, open_store
from skewbench.storage.tables.scores import SCORES
from skewbench.storage.verify import check_parts
from skewbench.vocabulary.errors import InputError

RUN = "small-0123abcd"


def _rows(value: float) -> pa.Table:
    ids = {"sample_id": "s", "pair_id": "p", "cell": "c", "prompt_id": "q", "seed": 0}
    row = {**ids, "metric": "m", "value": value, "reason": None, "scorer": "m", "scorer_version": 1}
    return pa.Table.from_pylist([row], schema=SCORES.schema)


def _part(store: Store, attempt: str, value: float = 1.0) -> Part:
    return write_part(store, "scores", RUN, _key().digest, attempt, _rows(value))


def _key(shard: str = "shard") -> JobKey:
    return JobKey(SCORES_OF, shard=shard, scorer="m", version=1)


def _receipt(part: Part) -> Receipt:
    return Receipt(_key(), RUN, (part,), 1.0, {"scores": 1})


def _manifest(*parts: Part, status: Status = "committed") -> Manifest:
    empty: dict[str, object] = {}
    jobs = tuple(JobRecord(_key(), parts=(part.path,)) for part in parts)
    return Manifest(RUN, "small", status, now(), empty, empty, [], None, 1, 1, parts=parts, jobs=jobs)


def _files(store: Store) -> list[str]:
    return [path for path in store.list("") if path != "_temporary/.lock"]


def test_part_comes_back_and_knows_its_run(store: Store) -> None:
    part = _part(store, "a", 2.5)
    assert read_part(store, part).column("value").to_pylist() == [2.5]
    file = pq.ParquetFile(io.BytesIO(store.read(part.path)))
    assert file.schema_arrow.metadata[b"skewbench.run_id"] == RUN.encode()
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert (part.rows, part.bytes) == (1, len(store.read(part.path)))


def test_rows_of_another_schema_are_refused(store: Store) -> None:
    with pytest.raises(KeyError):
        write_part(store, "scores", RUN, "shard", "a", _rows(1.0).drop_columns(["metric"]))
    assert store.list("scores") == []


def test_first_receipt_wins_and_the_late_one_cleans_up(store: Store) -> None:
    first, late = _receipt(_part(store, "first")), _receipt(_part(store, "late"))
    assert write_receipt(store, first) == first
    assert write_receipt(store, late) == first
    assert store.list("scores") == [first.parts[0].path]
    assert scan_receipts(store, RUN) == ([first], [])


def test_of_writers_that_race_for_a_receipt_one_succeeds_and_all_return_its(store: Store) -> None:
    receipts = [_receipt(_part(store, f"attempt{i}")) for i in range(8)]
    with ThreadPoolExecutor(8) as writers:
        written = list(writers.map(lambda receipt: write_receipt(open_store(store.lake), receipt), receipts))
    assert written == [written[0]] * 8
    assert store.list("scores") == [written[0].parts[0].path]


def test_a_swap_needs_the_content_that_it_replaces(store: Store) -> None:
    store.put("x", b"1")
    assert store.swap("x", b"1", b"2")
    assert not store.swap("x", b"1", b"3")
    assert not store.swap("y", b"", b"3")
    assert (store.read("x"), store.exists("y")) == (b"2", False)


def test_an_object_is_removed_only_with_the_content_that_is_known(store: Store) -> None:
    store.put("x", b"1")
    assert not store.remove("x", b"2")
    assert not store.remove("y", b"")
    assert store.exists("x")
    assert store.remove("x", b"1")
    assert not store.exists("x")


def test_a_lock_that_a_stopped_process_holds_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOCK_PATIENCE", 0.05)
    store = LocalStore(tmp_path)
    store.put("x", b"1")
    with store._locked(), pytest.raises(LakeUnreachable, match="resume that process or end it"):
        store.swap("x", b"1", b"2")
    assert store.swap("x", b"1", b"2")


def test_of_swaps_that_race_one_succeeds(store: Store) -> None:
    store.put("x", b"old")
    with ThreadPoolExecutor(8) as writers:
        won = list(writers.map(lambda i: open_store(store.lake).swap("x", b"old", b"%d" % i), range(8)))
    assert won.count(True) == 1
    assert store.read("x") == b"%d" % won.index(True)


def test_a_list_is_of_whole_folders(store: Store) -> None:
    for path in ("a/run_id=x/1", "a/run_id=x/2 +%.json", "a/run_id=xy/1", "b"):
        store.put(path, path.encode())
    assert store.list("a/run_id=x") == ["a/run_id=x/1", "a/run_id=x/2 +%.json"]
    assert store.list("none") == []
    assert store.read_all(store.list("a")) == [path.encode() for path in store.list("a")]
    store.delete("b", "none", *store.list("a/run_id=x"))
    assert store.list("") == ["a/run_id=xy/1"]


def test_what_is_not_there(store: Store) -> None:
    for ask in (store.read, store.open, lambda path: store.read_all([path])):
        with pytest.raises(FileNotFoundError):
            ask("none")
    assert not store.exists("none")


def test_no_temporary_file_is_left_or_listed(store: Store) -> None:
    store.check_writable()
    write_receipt(store, _receipt(_part(store, "a")))
    assert set(store.list("_temporary")) <= {"_temporary/.lock"}  # a folder's lock stays


def test_abandoned_temporary_files_are_swept(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("x", b"")
    for name, age in (("old", 7200), ("young", 0)):
        path = store.root / "_temporary" / name
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    store.check_writable()
    assert sorted(path.name for path in (store.root / "_temporary").iterdir()) == [".lock", "young"]


def test_manifest_comes_back(store: Store) -> None:
    manifest = write_manifest(store, _manifest(_part(store, "a")))
    assert read_manifest(store, RUN) == manifest
    assert read_manifest(store, "other") is None
    assert list_runs(store) == [manifest]


def test_broken_manifest_is_named(store: Store) -> None:
    store.put(f"_runs/{RUN}.json", b"{}")
    with pytest.raises(InputError, match=RUN):
        read_manifest(store, RUN)


def test_runs_are_found_by_their_beginning(store: Store) -> None:
    with pytest.raises(InputError, match="it has no runs"):
        find_run(store, None)
    write_manifest(store, _manifest())
    write_manifest(store, replace(_manifest(), run_id="small-9999"))
    assert find_run(store, "small-01").run_id == RUN
    with pytest.raises(InputError, match=f"2 runs match: {RUN}, small-9999"):
        find_run(store, "sma")
    assert find_run(store, "small").run_id == "small-9999"  # the newest of the experiment
    with pytest.raises(InputError, match="no such run"):
        find_run(store, "large")


def test_commit_leaves_what_the_manifest_names(store: Store) -> None:
    kept, _ = _part(store, "kept"), _part(store, "orphan")
    commit_manifest(store, _manifest(kept))
    assert store.list("scores") == [kept.path]


def test_a_part_of_a_job_without_a_receipt_stays(store: Store) -> None:
    """Its worker may be alive: its receipt is still to come."""
    kept, young = _part(store, "kept"), write_part(store, "scores", RUN, _key("other").digest, "a", _rows(2.0))
    commit_manifest(store, _manifest(kept))
    assert store.list("scores") == sorted([kept.path, young.path])
    written = write_receipt(store, Receipt(_key("other"), RUN, (young,), 1.0, {}))
    commit_manifest(store, read_manifest(store, RUN) or _manifest())
    assert store.exists(young.path)
    assert scan_receipts(store, RUN) == ([written], [])


def test_a_run_that_goes_while_runs_are_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(store, _manifest())
    write_manifest(store, replace(_manifest(), run_id="other-1"))
    read_all = store.read_all

    def removed_meanwhile(paths: list[str]) -> list[bytes]:
        store.delete("_runs/other-1.json")
        return read_all(paths)

    monkeypatch.setattr(store, "read_all", removed_meanwhile)
    assert [run.run_id for run in list_runs(store)] == [RUN]


def test_verify_names_each_kind_of_fault_and_repair_sends_it_back(store: Store) -> None:
    keys = [_key(f"s{i}") for i in range(4)]
    parts = [write_part(store, "scores", RUN, key.digest, "a", _rows(i)) for i, key in enumerate(keys)]
    for key, part in zip(keys, parts, strict=True):
        write_receipt(store, Receipt(key, RUN, (part,), 1.0, {}))
    jobs = tuple(JobRecord(key, parts=(part.path,)) for key, part in zip(keys, parts, strict=True))
    manifest = write_manifest(store, replace(_manifest(*parts), jobs=jobs))
    assert check_parts(store, manifest) == []
    gone, short, flipped, _ = (part.path for part in parts)
    store.delete(gone)
    store.put(short, store.read(short)[:-1])
    content = bytearray(store.read(flipped))
    content[len(content) // 2] ^= 1
    store.put(flipped, bytes(content))
    faults = check_parts(store, manifest)
    assert [fault.part for fault in faults] == parts[:3]
    assert [fault.problem.split()[0] for fault in faults] == ["is", "has", "has"]
    repaired = send_back(store, manifest, faults)
    assert (repaired.status, repaired.parts) == ("committed", (parts[3],))  # scores alone
    assert [one.key for one in scan_receipts(store, RUN)[0]] == [_key("s3")]
    assert store.list("scores") == [parts[3].path]


def test_a_killed_removal_leaves_no_receipt_of_a_lost_part(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write_receipt(store, _receipt(_part(store, "a")))
    write_manifest(store, _manifest())
    for _ in range(3):  # killed after one, two and three deletions
        delete, left = store.delete, 1

        def killed(*paths: str, delete: Any = delete) -> None:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            delete(*paths)

        monkeypatch.setattr(store, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_run(store, RUN)
        monkeypatch.setattr(store, "delete", delete)
        store.delete(f"_leases/{RUN}.json")  # of the dead
        assert all(store.exists(part.path) for receipt in scan_receipts(store, RUN)[0] for part in receipt.parts)
    remove_run(store, RUN)
    assert _files(store) == []


def test_repair_sends_back_what_is_still_broken(store: Store) -> None:
    """A compaction that ended while files were hashed has put others in their place."""
    old, new = _part(store, "a"), _part(store, "b")
    manifest = write_manifest(store, replace(_manifest(), parts=(old,)))
    store.delete(old.path)
    faults = check_parts(store, manifest)
    write_manifest(store, replace(manifest, parts=(new,)))
    assert repair(store, RUN, faults).parts == ()
    assert find_run(store, RUN).parts == (new,)
    assert store.exists(new.path)


def test_broken_answers_leave_the_run_committed(store: Store) -> None:
    drawn = _part(store, "a")
    path = f"analysis/run_id={RUN}/analysis-b.parquet"
    store.put(path, b"answers")
    answers = Part("analysis", path, 1, 7, "", 4)
    manifest = write_manifest(store, replace(_manifest(), parts=(drawn, answers)))
    store.put(answers.path, b"broken")
    assert repair(store, RUN, check_parts(store, manifest)).parts == (answers,)
    repaired = find_run(store, RUN)
    assert (repaired.status, repaired.parts) == ("committed", (drawn,))


def test_nothing_is_deleted_where_a_link_leads_out_of_the_lake(tmp_path: Path) -> None:
    outside, lake = tmp_path / "mine", tmp_path / "lake"
    outside.mkdir()
    (outside / "thesis.parquet").write_text("years of work")
    store = LocalStore(lake)
    write_manifest(store, _manifest())
    (lake / "samples").mkdir()
    (lake / "samples" / f"run_id={RUN}").symlink_to(outside)
    (lake / "scores").symlink_to(outside.parent)
    commit_manifest(store, find_run(store, RUN))
    remove_run(store, RUN)
    assert (outside / "thesis.parquet").read_text() == "years of work"


def test_remove_deletes_all_of_a_run_and_nothing_else(store: Store) -> None:
    write_receipt(store, _receipt(_part(store, "a")))
    write_manifest(store, _manifest())
    write_manifest(store, replace(_manifest(), run_id="other-1"))
    remove_run(store, RUN)
    assert _files(store) == ["_runs/other-1.json"]


def test_unwritable_lake() -> None:
    with pytest.raises(InputError, match="/proc/no-such/lake"):
        open_store("/proc/no-such/lake").check_writable()
