"""Removing a run: the manifest first, so that readers stop seeing it before anything is gone."""

from skewbench.storage.lease import Lease
from skewbench.storage.manifest import manifest_path, report_path
from skewbench.storage.schemas import TABLES
from skewbench.storage.store import Store


def remove_run(store: Store, run_id: str) -> int:
    """Delete all of a run; the number of files. Raises `RunError` while another process drives it."""
    with Lease(store, run_id):
        store.delete(manifest_path(run_id))
        receipts = store.list(f"_receipts/run_id={run_id}")
        store.delete(*receipts)  # before what they vouch for: whoever is killed here leaves no receipt of a lost part
        parts = [path for table in TABLES for path in store.list(f"{table}/run_id={run_id}")]
        store.delete(*parts, report_path(run_id))
        return len(receipts) + len(parts) + 1
