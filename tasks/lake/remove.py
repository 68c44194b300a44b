"""Removing a run: the manifest first, so that readers stop seeing it before anything is gone."""

from sql.schemas import TABLES
from tasks.lake.lease import Lease
from tasks.lake.manifest import manifest_path, report_path
from tasks.lake.store import Store


def remove_run(store: Store, run_id: str) -> int:
    """Delete all of a run; the number of files. Raises `RunError` while another process drives it."""
    with Lease(store, run_id):
        store.delete(manifest_path(run_id))
        folders = [f"{table}/run_id={run_id}" for table in TABLES] + [f"_receipts/run_id={run_id}"]
        paths = [path for folder in folders for path in store.list(folder)] + [report_path(run_id)]
        store.delete(*paths)
        return len(paths)
