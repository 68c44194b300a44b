"""Replacing a manifest, and deleting afterwards what no manifest can name any more."""

from collections.abc import Iterable

from skewbench.storage.manifest import DERIVED, Manifest, write_manifest
from skewbench.storage.parts import COMPACTED, Part, Receipt, job_of, read_receipts, receipt_path
from skewbench.storage.records import parse_manifest
from skewbench.storage.schemas import TABLES
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError, RunError


def commit_manifest(
    store: Store, manifest: Manifest, wrote: Iterable[Part] = (), void: Iterable[Receipt] = ()
) -> Manifest:
    """Replace a manifest, then delete what it makes superfluous.

    Deleted is, after the manifest was replaced and never otherwise:

    - what the replaced manifest named and the new one does not;
    - the void receipts with their parts;
    - what earlier drivers wrote and no manifest named (answers, compacted parts): each of them holds an older
      manifest, and can replace none;
    - what another attempt at a job wrote that has its receipt: the first receipt wins, so that a later one names
      nothing.

    Files were listed before the manifest was replaced. So nothing that a driver after this one wrote is among them. A
    part of a job without a receipt stays: its worker may be alive, and its receipt is still to come.

    Args:
        store: The lake.
        manifest: The new manifest, made from one that was read or claimed.
        wrote: Parts that this driver wrote for it. They are deleted if the manifest is another driver's by now.
        void: Receipts that no longer count.

    Returns:
        The manifest as it was written.

    Raises:
        RunError: another driver took the run over. The lake is as that driver left it.
        InputError: the manifest is broken by now.
    """
    void = list(void)
    listed = [path for table in TABLES for path in store.list(f"{table}/run_id={manifest.run_id}")]
    receipts = read_receipts(store, manifest.run_id)
    try:
        written = write_manifest(store, manifest)
    except (InputError, RunError):
        store.delete(*(part.path for part in wrote))
        raise
    valid = [receipt for key, receipt in receipts.items() if key not in {receipt.key for receipt in void}]
    superfluous = _named_before(manifest) | {part.path for receipt in void for part in receipt.parts}
    superfluous |= _abandoned(written, listed, valid)
    store.delete(*(receipt_path(manifest.run_id, receipt.key) for receipt in void))
    store.delete(*sorted(superfluous - {part.path for part in written.parts}))
    return written


def _named_before(manifest: Manifest) -> set[str]:
    if manifest.stored is None:
        return set()
    try:
        return {part.path for part in parse_manifest(manifest.run_id, manifest.stored).parts}
    except ValueError:  # a broken manifest that was rebuilt
        return set()


def _abandoned(manifest: Manifest, listed: list[str], receipts: list[Receipt]) -> set[str]:
    """Of the listed files: those that no driver and no worker can ever name in this run."""
    vouched = {part.path for receipt in receipts for part in receipt.parts}
    done = {_job(path) for path in (*vouched, *manifest.replaced, *(part.path for part in manifest.parts))}

    def is_abandoned(path: str) -> bool:
        table, job = _job(path)
        return path not in vouched and (table in DERIVED or job == COMPACTED or (table, job) in done)

    return set(filter(is_abandoned, listed))


def _job(path: str) -> tuple[str, str]:
    return path.partition("/")[0], job_of(path)
