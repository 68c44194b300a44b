"""Checks that a lake still holds what was written: parts against the manifest, and that against the receipts."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

from skewbench.storage.keys import JobKey
from skewbench.storage.place import LakeUnreachable
from skewbench.storage.receipts import Receipt, receipt_path, scan_receipts
from skewbench.storage.records import Manifest, Part
from skewbench.storage.state import vouched
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import RunError


@dataclass(frozen=True)
class Fault:
    """A file of a run that is not what it should be. `part`: None for a receipt or a manifest."""

    path: str
    what: str
    part: Part | None = None


def check_parts(store: Store, manifest: Manifest, seen: Callable[[], None] = lambda: None) -> list[Fault]:
    """Hash every part that the manifest names, and count its rows. `seen` is called after each."""
    return _check(store, manifest.parts, seen)


def check_run(store: Store, manifest: Manifest, seen: Callable[[], None] = lambda: None) -> list[Fault]:
    """Check all of a run: its parts, also those of receipts that are not committed yet, and its receipts.

    Args:
        store: The lake.
        manifest: The run.
        seen: Is called after each part.

    Returns:
        What is broken.
    """
    return _check(store, all_parts(store, manifest), seen) + check_receipts(store, manifest)


def all_parts(store: Store, manifest: Manifest) -> list[Part]:
    """The parts that the manifest names, and those of receipts that no commit has seen yet."""
    receipts, _ = scan_receipts(store, manifest.run_id)
    known = {*manifest.replaced, *(part.path for part in manifest.parts)}
    uncommitted = [part for receipt in receipts for part in receipt.parts if part.path not in known]
    return [*manifest.parts, *dict.fromkeys(uncommitted)]


def check_receipts(store: Store, manifest: Manifest) -> list[Fault]:
    """Receipts that are none, that are missing, or that disagree with the manifest."""
    receipts, broken = scan_receipts(store, manifest.run_id)
    faults = [Fault(one.path, f"is no receipt: {one.why}") for one in broken]
    faults += [Fault(receipt.path, "disagrees with the manifest") for receipt in disagreeing(receipts, manifest)]
    files = {one.path for one in broken}
    missing = [receipt_path(manifest.run_id, key) for key in missing_receipts(manifest, receipts)]
    return faults + [Fault(path, "is gone") for path in missing if path not in files]


def disagreeing(receipts: Iterable[Receipt], manifest: Manifest) -> list[Receipt]:
    """The receipts that say something else of a part that the manifest names."""
    named = {part.path: part for part in manifest.parts}
    return [one for one in receipts if any(named.get(part.path, part) != part for part in one.parts)]


def missing_receipts(manifest: Manifest, receipts: Iterable[Receipt]) -> dict[JobKey, Receipt]:
    """What the receipts would be of jobs whose parts the manifest names and no receipt does."""
    there = {receipt.key for receipt in receipts}
    return {key: receipt for key, receipt in vouched(manifest).items() if key not in there and receipt.parts}


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
        first = f"{faults[0].path} {faults[0].what}"
        raise RunError(f"{len(faults)} parts are broken ({first}): verify --repair sends their shards back") from error


def fault_of(store: Store, part: Part) -> str | None:
    """What is wrong with a part's file, if anything."""
    try:
        content = store.read(part.path)
    except FileNotFoundError:
        return "is gone"
    if len(content) != part.bytes:
        return f"has {len(content)} bytes, not {part.bytes}"
    if sha256(content).hexdigest() != part.sha256:
        return "has other content than was written"
    try:
        rows = pq.read_metadata(io.BytesIO(content)).num_rows
    except pa.ArrowException:
        return "is no Parquet file"
    return None if rows == part.rows else f"has {rows} rows, not {part.rows}"


def _check(store: Store, parts: Iterable[Part], seen: Callable[[], None]) -> list[Fault]:
    faults = []
    for part in parts:
        what = fault_of(store, part)
        if what:
            faults.append(Fault(part.path, what, part))
        seen()
    return faults
