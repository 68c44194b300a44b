"""Repairing a run: a receipt from the manifest, a manifest from receipts, a part by making it again."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from skewbench.storage.attempts import current
from skewbench.storage.commit import commit_manifest
from skewbench.storage.lease import Lease, logger
from skewbench.storage.manifest import (
    Manifest,
    claim,
    manifest_path,
    parts_by_receipt,
    plan_path,
    receipts_of,
    write_manifest,
)
from skewbench.storage.parts import (
    COMPACTED,
    MERGED,
    Part,
    Receipt,
    job_of,
    read_receipts,
    receipt_content,
    scan_receipts,
)
from skewbench.storage.records import Status, check_path, parse_manifest, receipt_path
from skewbench.storage.schemas import TABLES, VERSION
from skewbench.storage.store import Store
from skewbench.storage.verify import Fault, all_parts, disagrees, fault_of, missing_receipts
from skewbench.vocabulary.errors import InputError

GENERATED = ("samples", "images", "stability")
"""Tables of what was generated and measured; the others are made from them."""

_SOURCES = TypeAdapter(list[str])


@dataclass(frozen=True)
class Repaired:
    """What a repair did: parts sent back to be made again, receipts written anew, receipts deleted."""

    parts: tuple[Part, ...] = ()
    restored: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


def repair(store: Store, run_id: str, faults: list[Fault], notify: Callable[[str], None] = logger.warning) -> Repaired:
    """Repair what is still broken, under the run's lease: since the faults were found a driver or a compaction may have
    put other files in their place. Raises `RunError` while another process drives the run.
    """
    with Lease(store, run_id, notify) as lease:
        manifest = claim(store, lease)
        known = all_parts(store, manifest)
        still = [fault for fault in faults if fault.part in known and fault.part and fault_of(store, fault.part)]
        if still:
            manifest = send_back(store, manifest, still)
        restored, deleted = _restore_receipts(store, manifest)
    return Repaired(tuple(fault.part for fault in still if fault.part), restored, deleted)


def send_back(store: Store, manifest: Manifest, faults: list[Fault]) -> Manifest:
    """Drop broken parts and the receipts that vouch for them. Where images or their measures are among them, the run
    is `incomplete` until it is started again; scores and answers come back by themselves then.

    A shard goes back whole, and with it, where parts were merged, the shards whose rows lie in the same file, and its
    scores, which may have been read off what was broken already.

    The manifest is replaced first. Whoever is killed after that leaves receipts of parts that it does not name;
    `verify` checks these too.
    """
    receipts = receipts_of(store, manifest)
    held = {key: {part.path for part in parts} for key, parts in parts_by_receipt(manifest, receipts).items()}
    broken = {fault.part.path for fault in faults if fault.part}
    lost = receipts.keys() - current(receipts).keys()  # earlier attempts, which must not count again
    while more := ({key for key, paths in held.items() if paths & broken} | _scores_of(lost, receipts)) - lost:
        lost |= more
        broken |= set[str]().union(*(held[key] for key in more))
    dropped = [part for part in manifest.parts if part.path in broken]
    parts = tuple(part for part in manifest.parts if part.path not in broken)
    replaced = {old: new for old, new in manifest.replaced.items() if new not in broken}
    made_again = manifest.status != "running" and any(part.table in GENERATED for part in dropped)
    status: Status = "incomplete" if made_again else manifest.status
    changed = replace(manifest, status=status, parts=parts, replaced=replaced)
    return commit_manifest(store, changed, void=[receipts[key] for key in lost])


def rebuild(store: Store, run_id: str, notify: Callable[[str], None] = logger.warning) -> Manifest:
    """Write a run's manifest anew, in place of a broken one: from the manifest that its first start wrote, and from its
    receipts. Answers are left out; the next start makes them again.

    Raises:
        InputError: the first manifest is gone or broken too.
        RunError: another process drives the run.
    """
    with Lease(store, run_id, notify) as lease:
        broken = store.read(manifest_path(run_id))
        try:
            plan = parse_manifest(run_id, store.read(plan_path(run_id)))
        except (FileNotFoundError, ValueError) as error:
            why = "gone" if isinstance(error, FileNotFoundError) else f"broken too ({error})"
            raise InputError(
                f"{manifest_path(run_id)} cannot be rebuilt: {plan_path(run_id)} is {why}; "
                f"`skewbench runs rm {run_id}`, then run the experiment again"
            ) from None
        receipts = read_receipts(store, run_id)
        parts, replaced = _parts_now(store, run_id, receipts)
        generated = sum(key.startswith("generation-") for key in receipts)
        status: Status = "committed" if generated and generated >= plan.shards else "incomplete"
        lease.confirm()
        return write_manifest(
            store, replace(plan, status=status, parts=parts, replaced=replaced, failed_jobs=[], stored=broken)
        )


def _restore_receipts(store: Store, manifest: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make receipts say what the manifest says. A broken one of a job that the manifest does not know is deleted."""
    receipts, broken = scan_receipts(store, manifest.run_id)
    missing = missing_receipts(manifest, receipts)
    restored, deleted = [], []
    for one in broken:
        receipt = missing.pop(one.key, None)
        if receipt and store.swap(one.path, one.content, receipt_content(receipt)):
            restored.append(one.path)
        elif not receipt and store.remove(one.path, one.content):
            deleted.append(one.path)
    named = {part.path: part for part in manifest.parts}
    for key, receipt in receipts.items():
        if disagrees(receipt, manifest):
            path = receipt_path(manifest.run_id, key)
            right = replace(receipt, parts=tuple(named.get(part.path, part) for part in receipt.parts))
            if store.swap(path, store.read(path), receipt_content(right)):
                restored.append(path)
    for key, receipt in missing.items():
        if store.put_new(receipt_path(manifest.run_id, key), receipt_content(receipt)):
            restored.append(receipt_path(manifest.run_id, key))
    return tuple(restored), tuple(deleted)


def _scores_of(lost: set[str], receipts: dict[str, Receipt]) -> set[str]:
    """Receipts of scores that were made from lost shards: those of the shard, and all of a cell as a set."""
    shards = {receipts[key].shard for key in lost if key.startswith("generation-")}
    return {
        key
        for key, receipt in receipts.items()
        if key.startswith("scores-") and (receipt.shard in shards or (shards and receipt.shard.startswith("cell.")))
    }


def _parts_now(store: Store, run_id: str, receipts: dict[str, Receipt]) -> tuple[tuple[Part, ...], dict[str, str]]:
    """Where the rows of receipts lie: in the parts that they name, or in the files that compaction merged them into."""
    there = {path for table in TABLES for path in store.list(f"{table}/run_id={run_id}")}
    replaced: dict[str, str] = {}
    large: dict[str, Part] = {}
    merged = [found for path in sorted(there) if job_of(path) == COMPACTED and (found := _merged(store, run_id, path))]
    for part, sources in sorted(merged, key=lambda found: -len(found[1])):
        # a compaction that was killed before it replaced the manifest has deleted none of its sources
        if not set(sources) <= there and not set(sources) & replaced.keys():
            large[part.path] = part
            replaced |= dict.fromkeys(sources, part.path)
    named = [part for receipt in receipts.values() for part in receipt.parts]
    parts = [large[replaced[part.path]] if part.path in replaced else part for part in named]
    return tuple(dict.fromkeys(parts)), replaced


def _merged(store: Store, run_id: str, path: str) -> tuple[Part, list[str]] | None:
    """A file that compaction wrote, with the paths of the parts that it merged; None where it cannot be read."""
    content = store.read(path)
    table = path.partition("/")[0]
    try:
        footer = pq.read_metadata(io.BytesIO(content))
        sources = _SOURCES.validate_json((footer.metadata or {})[MERGED])
        for source in sources:
            check_path(run_id, table, source)
    except (pa.ArrowException, KeyError, ValueError):
        return None
    return Part(table, path, footer.num_rows, len(content), sha256(content).hexdigest(), VERSION), sources
