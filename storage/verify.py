"""Does the lake still hold what receipts hashed? And sending back what it does not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

from skewbench.storage.attempts import current
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import Manifest, find_run, parts_by_receipt, write_manifest
from skewbench.storage.parts import Part, Receipt, read_receipts, receipt_path
from skewbench.storage.place import LakeUnreachable
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import RunError

GENERATED = ("samples", "images", "stability")
"""Tables of what was drawn and measured; the others are made from them."""


@dataclass(frozen=True)
class Fault:
    """A part that is not what the manifest says."""

    part: Part
    what: str


def check_parts(store: Store, manifest: Manifest, seen: Callable[[], None] = lambda: None) -> list[Fault]:
    """Hash every part that the manifest names. `seen` is called after each."""
    faults = []
    for part in manifest.parts:
        what = _fault(store, part)
        if what:
            faults.append(Fault(part, what))
        seen()
    return faults


@contextmanager
def broken_parts_told(store: Store, *manifests: Manifest) -> Iterator[None]:
    """Raises `RunError` that names the first broken part, whatever a reader said who stumbled over it."""
    try:
        yield
    except LakeUnreachable:
        raise
    except Exception as error:
        faults = [fault for manifest in manifests for fault in check_parts(store, manifest)]
        if not faults:
            raise
        first = f"{faults[0].part.path} {faults[0].what}"
        raise RunError(f"{len(faults)} parts are broken ({first}): verify --repair sends their shards back") from error


def repair(store: Store, run_id: str, faults: list[Fault]) -> list[Fault]:
    """Send back what is still broken, under the run's lease, and return that: since faults were found a driver or a
    compaction may have put other parts in their place. Raises `RunError` while another process drives the run.
    """
    with Lease(store, run_id):
        manifest = find_run(store, run_id)
        still = [fault for fault in faults if fault.part in manifest.parts and _fault(store, fault.part)]
        if still:
            send_back(store, manifest, still)
    return still


def send_back(store: Store, manifest: Manifest, faults: list[Fault]) -> Manifest:
    """Drop broken parts and the receipts that vouch for them. Where pictures or their measures are among them, the run
    is `incomplete` until it is started again; scores and answers come back by themselves then.

    A shard goes back whole, and with it, where parts were merged, the shards whose rows lie in one file with its; and
    its scores, which may have been read off what was broken already.
    """
    receipts = read_receipts(store, manifest.run_id)
    held = {key: {part.path for part in parts} for key, parts in parts_by_receipt(manifest, receipts).items()}
    broken = {fault.part.path for fault in faults}
    lost = receipts.keys() - current(receipts).keys()  # earlier attempts, which must not count again
    while more := ({key for key, paths in held.items() if paths & broken} | _scores_of(lost, receipts)) - lost:
        lost |= more
        broken |= set[str]().union(*(held[key] for key in more))
    dropped = [part for part in manifest.parts if part.path in broken]
    parts = tuple(part for part in manifest.parts if part.path not in broken)
    status = "incomplete" if any(part.table in GENERATED for part in dropped) else manifest.status
    # the receipts first: whoever is killed here leaves none that vouches for a broken part
    earlier_first = sorted(lost, key=lambda key: receipts[key].retry)
    store.delete(*(receipt_path(manifest.run_id, key) for key in earlier_first))
    written = write_manifest(store, replace(manifest, status=status, parts=parts))
    store.delete(*broken)
    return written


def _scores_of(lost: set[str], receipts: dict[str, Receipt]) -> set[str]:
    """Receipts of scores that were made from lost shards: those of the shard, and all of a cell as a set."""
    shards = {receipts[key].shard for key in lost if key.startswith("generation-")}
    return {
        key
        for key, receipt in receipts.items()
        if key.startswith("scores-") and (receipt.shard in shards or (shards and receipt.shard.startswith("cell.")))
    }


def _fault(store: Store, part: Part) -> str | None:
    try:
        content = store.read(part.path)
    except FileNotFoundError:
        return "is gone"
    if len(content) != part.bytes:
        return f"has {len(content)} bytes, not {part.bytes}"
    return None if sha256(content).hexdigest() == part.sha256 else "has other content than was written"
