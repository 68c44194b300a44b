"""Repairing a run: a receipt from the manifest, a manifest from receipts, a part by making it again."""

import logging
from dataclasses import replace

import pytest

from skewbench.storage.compact import compact_run
from skewbench.storage.keys import JobKey
from skewbench.storage.manifest import find_run, manifest_path, plan_path, read_manifest
from skewbench.storage.receipts import receipt_content, receipt_path
from skewbench.storage.repair import rebuild, repair
from skewbench.storage.store import Store
from skewbench.storage.verify import check_run
from skewbench.vocabulary.errors import InputError
from tests.paused_store import (
    RUN,
    SHARDS,
    WHOLE,
    begin_run,
    commit_all,
    generate,
    generation,
    receipts_of,
    rows_of,
    score,
    scores,
    take_over,
)


def test_a_manifest_is_rebuilt_after_compactions(store: Store) -> None:
    """Receipts name files that are gone; the large files say whose rows they hold."""
    begin_run(store)
    take_over(store, compact_run)
    score(store, "s1")
    take_over(store, lambda store, manifest: compact_run(store, commit_all(store, manifest)))
    manifest = read_manifest(store, RUN)
    assert manifest
    before = rows_of(store)
    store.put(manifest_path(RUN), b"broken")
    rebuilt = rebuild(store, RUN)
    assert (rebuilt.status, set(rebuilt.parts)) == ("committed", set(manifest.parts))
    assert rows_of(store) == before
    assert check_run(store, rebuilt) == []


def test_a_compaction_that_was_killed_is_no_source_of_a_rebuilt_manifest(store: Store) -> None:
    manifest = begin_run(store)
    large = compact_run(store, manifest).parts
    kept = {part.path: store.read(part.path) for part in large}
    store.delete(*store.list(""))
    begin_run(store)
    for path, content in kept.items():  # it had written its files, and no manifest
        store.put(path, content)
    store.put(manifest_path(RUN), b"broken")
    assert not {part.path for part in rebuild(store, RUN).parts} & kept.keys()
    assert rows_of(store) == WHOLE


def test_a_run_of_which_shards_are_left_is_rebuilt_as_incomplete(store: Store) -> None:
    begin_run(store)
    gone = receipts_of(store)[generation("s3")]
    store.delete(receipt_path(RUN, gone.key), *(part.path for part in gone.parts))
    store.put(manifest_path(RUN), b"broken")
    assert rebuild(store, RUN).status == "incomplete"
    assert rows_of(store)["samples"] == ["s0-0", "s1-0", "s2-0"]


@pytest.mark.parametrize(("plan", "why"), [(None, "is missing"), (b"null", "is broken too")])
def test_a_manifest_without_a_plan_cannot_be_rebuilt_and_says_so(store: Store, plan: bytes | None, why: str) -> None:
    begin_run(store)
    store.put(manifest_path(RUN), b"broken")
    store.delete(plan_path(RUN))
    if plan:
        store.put(plan_path(RUN), plan)
    with pytest.raises(InputError, match=rf"cannot be rebuilt: .*{why}.*runs rm {RUN}"):
        rebuild(store, RUN)
    assert store.read(manifest_path(RUN)) == b"broken"


RECEIPTS = {"truncated": None, "bytes": b"\xff\x00", "null": b"null", "nested": b"[" * 100_000, "nothing in it": b"{}"}


@pytest.mark.parametrize("content", RECEIPTS.values(), ids=RECEIPTS.keys())
@pytest.mark.parametrize("key", [generation("s1"), scores("s0")], ids=str)
def test_a_broken_receipt_is_found_and_written_anew_from_the_manifest(
    store: Store, caplog: pytest.LogCaptureFixture, key: JobKey, content: bytes | None
) -> None:
    manifest, path = begin_run(store), receipt_path(RUN, key)
    before = receipts_of(store)
    store.put(path, store.read(path)[:-20] if content is None else content)
    faults = check_run(store, manifest)
    assert [(fault.path, fault.problem.split(":")[0]) for fault in faults] == [(path, "is not a receipt")]
    with caplog.at_level(logging.WARNING):
        committed = take_over(store, lambda store, manifest: commit_all(store, manifest))
    assert set(committed.parts) == set(manifest.parts)  # nothing is blocked by it, and nothing lost
    assert f"{path} is not a receipt" in caplog.text
    assert repair(store, RUN, faults).restored == (path,)
    after = receipts_of(store)
    assert set(after[key].parts) == set(before[key].parts)
    assert (after.keys(), after[key].cell) == (before.keys(), before[key].cell)
    assert check_run(store, committed) == []


def test_a_broken_receipt_that_is_not_committed_is_deleted_or_replaced_by_its_job(store: Store) -> None:
    manifest = begin_run(store)
    late = score(store, "s2")
    path = receipt_path(RUN, late.key)
    store.put(path, b"{")
    assert repair(store, RUN, check_run(store, manifest)).deleted == (path,)
    store.put(path, b"{")
    again = score(store, "s2")  # a worker that does the job again
    assert receipts_of(store)[late.key] == again


def test_a_receipt_that_is_gone_or_lies_is_written_anew(store: Store) -> None:
    manifest = begin_run(store)
    right = receipts_of(store)
    part = replace(right[generation("s2")].parts[0], rows=7)
    lie = replace(right[generation("s2")], parts=(part, *right[generation("s2")].parts[1:]))
    store.delete(receipt_path(RUN, generation("s1")))
    store.put(receipt_path(RUN, generation("s2")), receipt_content(lie))
    faults = check_run(store, manifest)
    assert [(fault.path, fault.problem) for fault in faults] == [
        (receipt_path(RUN, generation("s2")), "disagrees with the manifest"),
        (receipt_path(RUN, generation("s1")), "is missing"),
    ]
    assert len(repair(store, RUN, faults).restored) == 2
    after = receipts_of(store)
    assert {key: set(receipt.parts) for key, receipt in after.items()} == {
        key: set(receipt.parts) for key, receipt in right.items()
    }
    assert check_run(store, manifest) == []


def test_receipts_that_are_gone_come_back_also_after_a_compaction(store: Store) -> None:
    begin_run(store)
    take_over(store, compact_run)
    before = rows_of(store)
    store.delete(*store.list("_receipts"))
    manifest = read_manifest(store, RUN)
    assert manifest
    faults = check_run(store, manifest)
    assert len(repair(store, RUN, faults).restored) == len(faults) == 5
    take_over(store, lambda store, manifest: commit_all(store, manifest))
    assert rows_of(store) == before


def test_rows_are_counted_in_the_file_itself(store: Store) -> None:
    manifest = begin_run(store)
    part = manifest.parts[0]
    lie = replace(manifest, parts=(replace(part, rows=5), *manifest.parts[1:]))
    assert [(fault.part, fault.problem) for fault in check_run(store, lie) if fault.part] == [
        (lie.parts[0], "has 1 rows, not 5")
    ]
    nonsense = replace(part, bytes=3, sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    store.put(part.path, b"abc")
    assert [fault.problem for fault in check_run(store, replace(manifest, parts=(nonsense,))) if fault.part] == [
        "is not a Parquet file"
    ]


def test_a_receipt_that_vouches_for_a_lost_part_is_found_before_it_is_committed(store: Store) -> None:
    manifest = begin_run(store)
    late = score(store, "s3")
    store.delete(late.parts[0].path)
    faults = check_run(store, manifest)
    assert [fault.part for fault in faults] == list(late.parts)
    assert repair(store, RUN, faults).parts == late.parts
    assert late.key not in receipts_of(store)
    assert rows_of(store) == WHOLE


def test_a_shard_whose_part_is_broken_is_made_again(store: Store) -> None:
    manifest = begin_run(store)
    broken = next(part for part in receipts_of(store)[generation("s0")].parts if part.table == "images")
    store.put(broken.path, b"broken")
    repair(store, RUN, check_run(store, manifest))
    left = read_manifest(store, RUN)
    assert left
    assert (left.status, len(left.parts)) == ("incomplete", 6)
    (shard,) = [shard for shard in SHARDS if generation(shard) not in receipts_of(store)]
    generate(store, shard)
    take_over(store, lambda store, manifest: commit_all(store, manifest))
    assert rows_of(store)["images"] == [f"{shard}-0" for shard in SHARDS]


def test_a_part_of_another_attempt_at_a_job_is_known(store: Store) -> None:
    begin_run(store)
    zombie = receipts_of(store)[generation("s1")].parts[0]
    rows = store.read(zombie.path)
    store.put(zombie.path.replace(".parquet", "0.parquet"), rows)
    take_over(store, lambda store, manifest: commit_all(store, manifest))
    named = {part.path for part in find_run(store, RUN).parts}
    assert {path for path in store.list("") if path.endswith(".parquet")} == named
