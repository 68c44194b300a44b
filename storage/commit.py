"""Replaces a manifest, and afterwards deletes the files that no manifest can name any more."""

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
    written: Iterable[Part] = (),
    void: Iterable[Receipt] = (),
    state: RunState | None = None,
) -> Manifest:
    """Replace a manifest, then delete the files that it makes superfluous.

    Only after the manifest was replaced, this deletes:

    - parts that the replaced manifest named and the new one does not;
    - the void receipts with their parts;
    - parts that earlier drivers wrote and no manifest named (answers, compacted parts): those drivers hold an older
      manifest and can replace none;
    - parts of other attempts at a job that has a receipt: the first receipt wins;
    - parts that compaction merged into others, if it ended before it deleted them.

    The run's files are listed here, however well the state knows the run. A file may be deleted only if it existed
    before the manifest was replaced, so that it cannot be a later driver's, and workers that nobody waits for may have
    written receipts meanwhile. A part of a job without a receipt stays: its worker may still write the receipt.

    Args:
        store: The lake.
        manifest: The new manifest, made from one that was read or claimed.
        written: Parts that this driver wrote for it. They are deleted if another driver has replaced the manifest.
        void: Receipts that no longer count.
        state: The run's state, which takes in the commit. If it was surveyed, the run's files are not listed again.

    Returns:
        The new manifest, as it was stored.

    Raises:
        RunError: Another driver took the run over. The lake is as that driver left it.
        InputError: The manifest in the lake is broken.
    """
    void = list(void)
    before = state.manifest.parts if state else _parts_before(manifest)
    state = state or RunState(manifest)
    files = state.files if state.files is not None else state.survey(store).files or []
    try:
        stored = write_manifest(store, manifest)
    except (InputError, RunError):
        store.delete(*(part.path for part in written))
        raise
    state.committed(stored, void)
    superfluous = {part.path for part in (*before, *(part for one in void for part in one.parts))}
    superfluous |= _abandoned(store, state, [path for path in files if path not in superfluous])
    store.delete(*(receipt.path for receipt in void if receipt.path))
    store.delete(*sorted(superfluous - {part.path for part in stored.parts}))
    return stored


def _parts_before(manifest: Manifest) -> tuple[Part, ...]:
    if manifest.stored is None:
        return ()
    try:
        return parse_manifest(manifest.run_id, manifest.stored).parts
    except ValueError:  # a broken manifest that was rebuilt
        return ()


def _abandoned(store: Store, state: RunState, listed: Iterable[str]) -> set[str]:
    """Select the listed files that no driver and no worker can name any more."""
    manifest, receipts = state.manifest, state.receipts
    named = {part.path for receipt in (*receipts.values(), *state.duplicates) for part in receipt.parts}
    named -= manifest.replaced.keys()  # their rows are in other parts, but a killed compaction left them
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
    """Digest of the job that wrote a part of schema 5 or older, whose metadata do not name it."""
    name = legacy.receipt_name(path)
    key = legacy.typed_key(name, shards, cells) if name else None
    return key.digest if key else ""
