"""The state of a run: its manifest and receipts, read once at a start and kept up to date by the driver."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from skewbench.storage.attempts import counting
from skewbench.storage.keys import JobKey, JobRecord
from skewbench.storage.parts import list_parts
from skewbench.storage.receipts import (
    BrokenReceipt,
    Receipt,
    list_receipts,
    load_receipts,
    receipt_path,
)
from skewbench.storage.records import Manifest, Part, shown
from skewbench.storage.store import Store

logger = logging.getLogger(__name__)


class RunState:
    """A run as its one driver knows it.

    A receipt's file never changes, so it is read once: `refresh` lists the files and reads the new ones.

    Args:
        manifest: The run's manifest, as it was read or claimed.

    Attributes:
        manifest: The manifest, as it was read or written last.
        receipts: All receipts, by key. The manifest outranks their files: the job of a part that it names has a
            receipt here, even if its file is broken or missing.
        duplicates: Further receipts of a job. A job may have two files, one named as in older schemas.
        broken: Files among the receipts that are not receipts.
        files: The run's files in all tables; None if they were not listed since the last commit.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.receipts: dict[JobKey, Receipt] = {}
        self.duplicates: list[Receipt] = []
        self.broken: list[BrokenReceipt] = []
        self.files: list[str] | None = None
        self._on_file: dict[str, Receipt] = {}
        self._index()

    def refresh(self, store: Store) -> "RunState":
        """List the receipts and read the new ones. A broken one counts as missing, with a warning.

        Args:
            store: The lake.

        Returns:
            This state.
        """
        paths = list_receipts(store, self.manifest.run_id)
        read, self.broken = load_receipts(store, [path for path in paths if path not in self._on_file])
        existing = set(paths)
        self._on_file = {path: one for path, one in self._on_file.items() if path in existing}
        self._on_file |= {receipt.path: receipt for receipt in read}
        for one in self.broken:
            named = (shown(one.path), one.reason, self.manifest.run_id)
            logger.warning("%s is not a receipt: %s; `skewbench verify %s --repair`", *named)
        self._index()
        return self

    def survey(self, store: Store) -> "RunState":
        """List the run's parts, then refresh: a commit must know what to delete before it replaces the manifest.

        Parts are listed first, so that the receipt of a listed part is read too, if it has been written.

        Args:
            store: The lake.

        Returns:
            This state.
        """
        self.files = list_parts(store, self.manifest.run_id)
        return self.refresh(store)

    def fold(self, receipts: Iterable[Receipt | None]) -> None:
        """Add receipts of finished jobs. Add each once: a later commit may void it.

        Args:
            receipts: As workers return them; None for a job that failed.
        """
        for receipt in receipts:
            if receipt:
                path = receipt.path or receipt_path(receipt.run_id, receipt.key)
                self._on_file[path] = self.receipts[receipt.key] = replace(receipt, path=path)

    def committed(self, manifest: Manifest, void: Iterable[Receipt]) -> None:
        """Take over a manifest that was written, and forget receipts whose files are deleted.

        Args:
            manifest: As it was stored.
            void: The receipts that no longer count.
        """
        self.manifest, self.files = manifest, None
        self.duplicates = []
        for receipt in void:
            self._on_file.pop(receipt.path, None)
            if self.receipts.get(receipt.key) is receipt:
                del self.receipts[receipt.key]

    def uncommitted(self) -> list[JobKey]:
        """List the jobs whose receipts count, but that the manifest does not name: a driver ended before its commit."""
        manifest = self.manifest
        recorded = {job.key for job in manifest.jobs}
        named = {*manifest.replaced, *(part.path for part in manifest.parts)}  # manifests of older schemas lack jobs
        left = {key: one for key, one in counting(self.receipts).items() if key not in recorded}
        return [key for key, one in left.items() if not one.parts or not {part.path for part in one.parts} <= named]

    def _index(self) -> None:
        """Choose one receipt for each job. A manifest that names parts of another attempt outranks the file."""
        records = {job.key: job for job in self.manifest.jobs}
        self.receipts, self.duplicates = {}, []
        for receipt in self._on_file.values():
            record = records.get(receipt.key)
            named = record is None or set(record.parts) == {part.path for part in receipt.parts}
            if named and receipt.key not in self.receipts:
                self.receipts[receipt.key] = receipt
            else:
                self.duplicates.append(receipt)
        without_file = [job for key, job in records.items() if key not in self.receipts]
        self.receipts |= receipts_of_manifest(self.manifest, without_file)
        # If the manifest no longer names a part of a job, the file counts.
        self.duplicates = [one for one in self.duplicates if self.receipts.setdefault(one.key, one) is not one]


def read_state(store: Store, manifest: Manifest) -> RunState:
    """Read the state of a run, with all its receipts.

    Args:
        store: The lake.
        manifest: The run's manifest.
    """
    return RunState(manifest).refresh(store)


def keys_of(store: Store, manifest: Manifest) -> list[JobKey]:
    """Find the jobs of a run that are done. Receipts that the manifest has already are listed but not read.

    Args:
        store: The lake.
        manifest: The run's manifest.

    Returns:
        Their keys.
    """
    known = {receipt_path(manifest.run_id, job.key): job.key for job in manifest.jobs}
    unknown = [path for path in list_receipts(store, manifest.run_id) if path not in known]
    return list(dict.fromkeys([*known.values(), *(receipt.key for receipt in load_receipts(store, unknown)[0])]))


def receipts_of_manifest(manifest: Manifest, jobs: Iterable[JobRecord] | None = None) -> dict[JobKey, Receipt]:
    """Make receipts from a manifest alone.

    Args:
        manifest: The run's manifest.
        jobs: Of which jobs; None: of all.

    Returns:
        Receipts without a file, by key. Jobs of which the manifest names no part any more have none.
    """
    named = {part.path: part for part in manifest.parts}
    found = {}
    for job in manifest.jobs if jobs is None else jobs:
        now = (named.get(path) or named.get(manifest.replaced.get(path, "")) for path in job.parts)
        parts = tuple(dict.fromkeys(part for part in now if part))
        if parts or not job.parts:
            found[job.key] = Receipt(job.key, manifest.run_id, parts, 0.0, job.counts, job.cell)
    return found


def parts_by_receipt(manifest: Manifest, receipts: Mapping[JobKey, Receipt]) -> dict[JobKey, tuple[Part, ...]]:
    """Find the parts that hold the rows of receipts now: those that they name, or those that compaction made of these.

    Args:
        manifest: The run's manifest.
        receipts: Receipts, by key.

    Returns:
        Parts, by key.
    """
    named = {part.path: part for part in manifest.parts}

    def now_in(part: Part) -> Part:
        return named.get(manifest.replaced.get(part.path, part.path), part)

    return {key: tuple(now_in(part) for part in receipt.parts) for key, receipt in receipts.items()}


def records_of(receipts: Mapping[JobKey, Receipt], manifest: Manifest) -> tuple[JobRecord, ...]:
    """Make the records that a manifest keeps of receipts. The record of a job without a receipt's file stays.

    Args:
        receipts: Receipts, by key.
        manifest: The run's manifest.
    """
    known = {job.key: job for job in manifest.jobs}

    def record(key: JobKey, receipt: Receipt) -> JobRecord:
        if not receipt.path and key in known:
            return known[key]
        return JobRecord(key, receipt.cell, tuple(part.path for part in receipt.parts), receipt.counts)

    return tuple(record(key, receipt) for key, receipt in receipts.items())
