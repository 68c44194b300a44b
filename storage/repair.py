"""Repairs a run: a receipt from the manifest, a manifest from receipts, a part by having it generated again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from skewbench.storage.attempts import current
from skewbench.storage.commit import commit_manifest
from skewbench.storage.footers import largest_image
from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.lease import Lease, logger
from skewbench.storage.manifest import claim, manifest_path, plan_path, write_manifest
from skewbench.storage.parts import list_parts, read_origin
from skewbench.storage.receipts import Receipt, receipt_content, receipt_path, scan_receipts
from skewbench.storage.records import (
    Manifest,
    NewerSchemaError,
    Part,
    Status,
    check_path,
    check_version,
    parse_manifest,
)
from skewbench.storage.state import RunState, parts_by_receipt, read_state, records_of
from skewbench.storage.store import Store
from skewbench.storage.tables import TABLES, VERSION
from skewbench.storage.verify import Fault, all_parts, disagreeing, fault_of, missing_receipts
from skewbench.vocabulary.errors import InputError


@dataclass(frozen=True)
class Repaired:
    """The result of a repair.

    Args:
        parts: Dropped parts, which the next start generates again.
        restored: Paths of receipts that were rewritten.
        deleted: Paths of receipts that were deleted.
    """

    parts: tuple[Part, ...] = ()
    restored: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


def repair(store: Store, run_id: str, faults: list[Fault], notify: Callable[[str], None] = logger.warning) -> Repaired:
    """Repair files that are still broken. A driver or a compaction may have replaced files since the check.

    Args:
        store: The lake.
        run_id: The run.
        faults: As `skewbench.storage.verify` found them.
        notify: Called with a line about each wait.

    Returns:
        The repairs.

    Raises:
        RunError: Another process drives the run.
    """
    with Lease(store, run_id, notify) as lease:
        manifest = claim(store, lease)
        known = all_parts(store, manifest)
        pixels = largest_image(store, known)
        still = [one for one in faults if one.part in known and one.part and fault_of(store, one.part, pixels)]
        if still:
            manifest = send_back(store, manifest, still)
        restored, deleted = _restore_receipts(store, manifest)
    return Repaired(tuple(fault.part for fault in still if fault.part), restored, deleted)


def send_back(store: Store, manifest: Manifest, faults: list[Fault]) -> Manifest:
    """Drop broken parts and their receipts. The next start generates them again.

    If parts of generation are among them, the run is `incomplete` until then. A shard is dropped as a whole, with its
    scores, which may have been computed from a broken part, and with the shards whose rows were merged into the same
    file. Scores and answers are computed again at the next start.

    The manifest is replaced first. If it is killed after that, receipts of parts remain that the manifest does not
    name; `verify` checks these too.

    Args:
        store: The lake.
        manifest: The run's manifest.
        faults: The broken parts.

    Returns:
        The new manifest.
    """
    state = read_state(store, manifest)
    receipts = state.receipts
    held = {key: {part.path for part in parts} for key, parts in parts_by_receipt(manifest, receipts).items()}
    broken = {fault.part.path for fault in faults if fault.part}
    dropped = receipts.keys() - current(receipts).keys()  # earlier attempts, which must not count again
    while more := ({key for key, paths in held.items() if paths & broken} | _scores_of(dropped, receipts)) - dropped:
        dropped |= more
        broken |= set[str]().union(*(held[key] for key in more))
    parts = tuple(part for part in manifest.parts if part.path not in broken)
    replaced = {old: new for old, new in manifest.replaced.items() if new not in broken}
    of_generation = any(TABLES[one.table].written_by == GENERATION for one in manifest.parts if one.path in broken)
    status: Status = "incomplete" if of_generation and manifest.status != "running" else manifest.status
    jobs = tuple(job for job in manifest.jobs if job.key not in dropped)
    changed = replace(manifest, status=status, parts=parts, jobs=jobs, replaced=replaced)
    return commit_manifest(store, changed, void=[receipts[key] for key in dropped], state=state)


def rebuild(store: Store, run_id: str, notify: Callable[[str], None] = logger.warning) -> Manifest:
    """Replace a broken manifest by one that is made from the run's plan (its first manifest) and its receipts.

    Answers are left out; the next start computes them again.

    Args:
        store: The lake.
        run_id: The run.
        notify: Called with a line about each wait.

    Returns:
        The new manifest.

    Raises:
        InputError: The plan is missing or broken too.
        RunError: Another process drives the run.
    """
    with Lease(store, run_id, notify) as lease:
        broken = store.read(manifest_path(run_id))
        try:
            check_version(broken)
            plan = parse_manifest(run_id, store.read(plan_path(run_id)))
        except NewerSchemaError as error:
            raise InputError(f"{manifest_path(run_id)} was {error}") from None
        except (FileNotFoundError, ValueError) as error:
            problem = "missing" if isinstance(error, FileNotFoundError) else f"broken too ({error})"
            raise InputError(
                f"{manifest_path(run_id)} cannot be rebuilt: {plan_path(run_id)} is {problem}; "
                f"remove the run with `skewbench runs rm {run_id}` and run the experiment again"
            ) from None
        state = RunState(replace(plan, parts=(), jobs=(), replaced={})).refresh(store)
        parts, replaced = _parts_now(store, run_id, state.receipts)
        generated = sum(key.kind == GENERATION for key in state.receipts)
        status: Status = "committed" if generated and generated >= plan.shards else "incomplete"
        lease.confirm()
        jobs = records_of(state.receipts, plan)
        found = replace(plan, status=status, parts=parts, jobs=jobs, replaced=replaced, failed_jobs=[])
        return write_manifest(store, replace(found, stored=broken))


def _restore_receipts(store: Store, manifest: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make receipts agree with the manifest. A broken receipt of a job that the manifest does not have is deleted."""
    receipts, broken = scan_receipts(store, manifest.run_id)
    missing = {receipt_path(manifest.run_id, key): one for key, one in missing_receipts(manifest, receipts).items()}
    restored, deleted = [], []
    for one in broken:
        receipt = missing.pop(one.path, None)
        if receipt and store.swap(one.path, one.content, receipt_content(receipt)):
            restored.append(one.path)
        elif not receipt and store.remove(one.path, one.content):
            deleted.append(one.path)
    named = {part.path: part for part in manifest.parts}
    for wrong in disagreeing(receipts, manifest):
        right = replace(wrong, parts=tuple(named.get(part.path, part) for part in wrong.parts))
        if wrong.path == receipt_path(manifest.run_id, right.key):
            if store.swap(wrong.path, store.read(wrong.path), receipt_content(right)):
                restored.append(wrong.path)
        elif store.put_new(receipt_path(manifest.run_id, right.key), receipt_content(right)):
            store.delete(wrong.path)  # its name is that of an older schema's receipt
            restored.append(receipt_path(manifest.run_id, right.key))
    for path, receipt in missing.items():
        if store.put_new(path, receipt_content(receipt)):
            restored.append(path)
    return tuple(restored), tuple(deleted)


def _scores_of(dropped: set[JobKey], receipts: Mapping[JobKey, Receipt]) -> set[JobKey]:
    """Scores that were computed from dropped shards: those of the shards, and all scores of whole cells."""
    shards = {key.shard for key in dropped if key.kind == GENERATION}
    return {key for key in receipts if key.kind == SCORES and (key.shard in shards or (shards and key.cell))}


def _parts_now(
    store: Store, run_id: str, receipts: Mapping[JobKey, Receipt]
) -> tuple[tuple[Part, ...], dict[str, str]]:
    """The parts that hold the rows of receipts now: those that they name, or those that compaction merged them into."""
    existing = set(list_parts(store, run_id))
    named = [part for receipt in receipts.values() for part in receipt.parts]
    replaced: dict[str, str] = {}
    large: dict[str, Part] = {}
    others = sorted(existing - {part.path for part in named})
    merged = [found for path in others if (found := _merged(store, run_id, path))]
    for part, sources in sorted(merged, key=lambda found: -len(found[1])):
        # a compaction that was killed before it replaced the manifest has deleted no source
        if not set(sources) <= existing and not set(sources) & replaced.keys():
            large[part.path] = part
            replaced |= dict.fromkeys(sources, part.path)
    parts = [large[replaced[part.path]] if part.path in replaced else part for part in named]
    return tuple(dict.fromkeys(parts)), replaced


def _merged(store: Store, run_id: str, path: str) -> tuple[Part, tuple[str, ...]] | None:
    """A part that compaction wrote, with the paths of the parts that it merged; None for any other file."""
    origin, table = read_origin(store, path), path.partition("/")[0]
    if origin is None or not origin.merged:
        return None
    try:
        for source in origin.merged:
            check_path(run_id, table, source)
    except ValueError:
        return None
    content = store.read(path)
    return Part(table, path, origin.rows, len(content), sha256(content).hexdigest(), VERSION), origin.merged
