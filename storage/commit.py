"""Replacing a manifest, and deleting afterwards what no manifest can name any more."""

from collections.abc import Iterable

from skewbench.storage import legacy
from skewbench.storage.manifest import write_manifest
from skewbench.storage.parts import read_origin
from skewbench.storage.receipts import Receipt
from skewbench.storage.records import Manifest, Part, parse_manifest
from skewbench.storage.state import RunState
from skewbench.storage.store import Store
from skewbench.storage.tables import TABLES
from skewbench.vocabulary.errors import InputError, RunError


def commit_manifest(
    store: Store,
    manifest: Manifest,
    wrote: Iterable[Part] = (),
    void: Iterable[Receipt] = (),
    state: RunState | None = None,
) -> Manifest:
    """Replace a manifest, then delete what it makes superfluous.

    Deleted is, after the manifest was replaced and never otherwise:

    - what the replaced manifest named and the new one does not;
    - the void receipts with their parts;
    - what earlier drivers wrote and no manifest named (answers, compacted parts): each of them holds an older
      manifest, and can replace none;
    - what another attempt at a job wrote that has its receipt: the first receipt wins, so that a later one names
      nothing.

    Files are listed here, however well the state knows the run: what is deleted must have been there before the
    manifest was replaced, so that nothing that a driver after this one wrote is among it, and receipts may have come
    from workers that nobody waits for any more. A part of a job without a receipt stays: its worker may be alive, and
    its receipt is still to come.

    Args:
        store: The lake.
        manifest: The new manifest, made from one that was read or claimed.
        wrote: Parts that this driver wrote for it. They are deleted if the manifest is another driver's by now.
        void: Receipts that no longer count.
        state: The run's state, which takes in the commit; surveyed already where the new manifest was made of that.

    Returns:
        The manifest as it was written.

    Raises:
        RunError: another driver took the run over. The lake is as that driver left it.
        InputError: the manifest is broken by now.
    """
    void = list(void)
    before = state.manifest.parts if state else _parts_before(manifest)
    state = state or RunState(manifest)
    files = state.files if state.files is not None else state.survey(store).files or []
    try:
        written = write_manifest(store, manifest)
    except (InputError, RunError):
        store.delete(*(part.path for part in wrote))
        raise
    state.committed(written, void)
    gone = {part.path for part in (*before, *(part for one in void for part in one.parts))}
    gone |= _abandoned(store, state, [path for path in files if path not in gone])
    store.delete(*(receipt.path for receipt in void if receipt.path))
    store.delete(*sorted(gone - {part.path for part in written.parts}))
    return written


def _parts_before(manifest: Manifest) -> tuple[Part, ...]:
    if manifest.stored is None:
        return ()
    try:
        return parse_manifest(manifest.run_id, manifest.stored).parts
    except ValueError:  # a broken manifest that was rebuilt
        return ()


def _abandoned(store: Store, state: RunState, listed: Iterable[str]) -> set[str]:
    """Of the listed files: those that no driver and no worker can ever name in this run."""
    manifest, receipts = state.manifest, state.receipts
    named = {part.path for receipt in (*receipts.values(), *state.duplicates) for part in receipt.parts}
    named |= {part.path for part in manifest.parts}
    digests = {key.digest for key in receipts}
    cells = [cell["name"] for cell in manifest.cells]
    shards = {key.shard for key in receipts}

    def is_abandoned(path: str) -> bool:
        if TABLES[path.partition("/")[0]].written_by is None:
            return True
        origin = read_origin(store, path)
        if origin is None:
            return False
        return bool(origin.merged) or (origin.job or _old_job(path, shards, cells)) in digests

    return {path for path in listed if path not in named and is_abandoned(path)}


def _old_job(path: str, shards: set[str], cells: list[str]) -> str:
    """Digest of the job that wrote a part before parts said so themselves."""
    name = legacy.receipt_name(path)
    key = legacy.typed_key(name, shards, cells) if name else None
    return key.digest if key else ""
