"""Removes a run. First its manifest is marked, so readers no longer see it and no driver can write it."""

from collections.abc import Callable
from dataclasses import replace

from skewbench.storage.lease import Lease, logger, taken_over_error
from skewbench.storage.manifest import manifest_path, now, plan_path, report_path, write_manifest
from skewbench.storage.parts import list_parts
from skewbench.storage.records import Manifest, NewerSchemaError, parse_manifest
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError


def remove_run(store: Store, run_id: str, notify: Callable[[str], None] = logger.warning) -> int:
    """Delete all files of a run, also if its manifest is broken or an earlier removal was killed.

    The files are listed, then the manifest is replaced by one with status `removing`, then the files are deleted, and
    last that manifest, if it is still this removal's. While it exists, no run of this id starts. So a removal that was
    paused anywhere, and resumes after another one has completed and the run was made again, deletes neither a part nor
    the manifest of the new run.

    Args:
        store: The lake.
        run_id: The run's id, as its manifest's file is named.
        notify: Called with a line about each wait.

    Returns:
        Number of files deleted.

    Raises:
        InputError: The run's schema is newer than this skewbench reads.
        RunError: Another process drives the run, or took it over meanwhile.
    """
    with Lease(store, run_id, notify) as lease:
        found = _manifest(store, run_id)
        lease.confirm()
        parts = list_parts(store, run_id)
        mark = replace(found, status="removing", parts=(), jobs=(), replaced={})
        if (marked := write_manifest(store, mark).stored) is None:
            raise taken_over_error(run_id)
        receipts = _receipts(store, run_id)
        store.delete(*receipts)  # before their parts: a removal that is killed here leaves no receipt of a missing part
        store.delete(*parts, report_path(run_id), plan_path(run_id))
        late = [
            *_receipts(store, run_id),
            *list_parts(store, run_id),
        ]  # of a worker that wrote meanwhile
        if not _is_marked(store, run_id, marked):
            raise taken_over_error(run_id)
        store.delete(*late)
        if not store.remove(manifest_path(run_id), marked):
            raise taken_over_error(run_id)
        return len(receipts) + len(parts) + len(late) + 1


def _manifest(store: Store, run_id: str) -> Manifest:
    """The run's manifest; if it is broken or missing, one that can replace it."""
    stored = None
    try:
        stored = store.read(manifest_path(run_id))
        return parse_manifest(run_id, stored)
    except NewerSchemaError as error:  # it may have files of which this skewbench does not know
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
