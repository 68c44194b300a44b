"""Removing a run: its manifest says so first, so that readers stop seeing it and no driver can write it any more."""

from collections.abc import Callable
from dataclasses import replace

from skewbench.storage.lease import Lease, logger, taken_over
from skewbench.storage.manifest import manifest_path, now, plan_path, report_path, write_manifest
from skewbench.storage.parts import list_parts
from skewbench.storage.records import Manifest, NewerSchemaError, parse_manifest
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError


def remove_run(store: Store, run_id: str, notify: Callable[[str], None] = logger.warning) -> int:
    """Delete all of a run, also one whose manifest is broken, or whose removal was killed.

    Files are listed, then the manifest is replaced by one with status `removing`, then they are deleted, and at last
    that manifest if it is still this removal's. While it is there no run of this id begins. So a removal that is paused
    anywhere, and wakes after another one has completed it and the run was made again, deletes no part of the new run
    and not its manifest.

    Args:
        store: The lake.
        run_id: The run's id, as its manifest's file is named.
        notify: Takes the line that says what is waited for.

    Returns:
        Number of files deleted.

    Raises:
        InputError: the run is of a newer schema than this skewbench reads.
        RunError: another process drives the run, or took it over meanwhile.
    """
    with Lease(store, run_id, notify) as lease:
        found = _manifest(store, run_id)
        lease.confirm()
        parts = list_parts(store, run_id)
        mark = replace(found, status="removing", parts=(), jobs=(), replaced={})
        if (marked := write_manifest(store, mark).stored) is None:
            raise taken_over(run_id)
        receipts = _receipts(store, run_id)
        store.delete(*receipts)  # before what they vouch for: whoever is killed here leaves no receipt of a lost part
        store.delete(*parts, report_path(run_id), plan_path(run_id))
        late = [*_receipts(store, run_id), *list_parts(store, run_id)]  # of a worker that did not know yet
        if not _is_marked(store, run_id, marked):
            raise taken_over(run_id)
        store.delete(*late)
        if not store.remove(manifest_path(run_id), marked):
            raise taken_over(run_id)
        return len(receipts) + len(parts) + len(late) + 1


def _manifest(store: Store, run_id: str) -> Manifest:
    """What is there, or, for a broken manifest or none, one that can replace it."""
    stored = None
    try:
        stored = store.read(manifest_path(run_id))
        return parse_manifest(run_id, stored)
    except NewerSchemaError as error:  # it may have files that this skewbench does not know
        raise InputError(f"{manifest_path(run_id)} was {error}") from None
    except (FileNotFoundError, ValueError):
        return Manifest(run_id, run_id, "removing", now(), stored=stored)


def _is_marked(store: Store, run_id: str, marked: bytes) -> bool:
    try:
        return store.read(manifest_path(run_id)) == marked
    except FileNotFoundError:
        return False


def _receipts(store: Store, run_id: str) -> list[str]:
    return store.list(f"_receipts/run_id={run_id}")
