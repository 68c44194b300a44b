"""The state of a run: its manifest and its receipts, read once at a start, folded by what the driver does then."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

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

    A receipt's file never changes, so none is read twice: `refresh` lists the files and reads those that are new.

    Args:
        manifest: The run's manifest, as it was read or claimed. No receipt is known yet.

    Attributes:
        manifest: The manifest, as it was read or written last.
        receipts: All receipts, by key. The manifest outranks their files: the job of a part that it names has a
            receipt here, though its file is broken or gone.
        duplicates: Receipts of a job that has another one. Of older schemas a job may have a file of each name.
        broken: Files among the receipts that hold none.
        files: The run's files in all tables; None where they were not listed since the last commit.
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
        """List the receipts and read those that are new. A file that is none counts as absent, with a warning."""
        paths = list_receipts(store, self.manifest.run_id)
        read, self.broken = load_receipts(store, [path for path in paths if path not in self._on_file])
        there = set(paths)
        self._on_file = {path: one for path, one in self._on_file.items() if path in there}
        self._on_file |= {receipt.path: receipt for receipt in read}
        for one in self.broken:
            run_id = self.manifest.run_id
            logger.warning("%s is no receipt: %s; `skewbench verify %s --repair`", shown(one.path), one.why, run_id)
        self._index()
        return self

    def survey(self, store: Store) -> "RunState":
        """List the run's parts, then refresh: what a commit deletes must be known before it replaces the manifest.

        Parts come first: whoever wrote a listed part has written its receipt already, or has yet to.
        """
        self.files = list_parts(store, self.manifest.run_id)
        return self.refresh(store)

    def fold(self, receipts: Iterable[Receipt | None]) -> None:
        """Take in receipts of finished jobs, as workers return them: once each, since a commit may void one later."""
        for receipt in receipts:
            if receipt:
                path = receipt.path or receipt_path(receipt.run_id, receipt.key)
                self._on_file[path] = self.receipts[receipt.key] = replace(receipt, path=path)

    def committed(self, manifest: Manifest, void: Iterable[Receipt]) -> None:
        """Take in a manifest that was written, and forget void receipts, whose files are deleted."""
        self.manifest, self.files = manifest, None
        self.duplicates = []
        for receipt in void:
            self._on_file.pop(receipt.path, None)
            if self.receipts.get(receipt.key) is receipt:
                del self.receipts[receipt.key]

    def _index(self) -> None:
        """Choose a receipt a job. Where the manifest names parts of another attempt, it outranks the file."""
        records = {job.key: job for job in self.manifest.jobs}
        self.receipts, self.duplicates = {}, []
        for receipt in self._on_file.values():
            record = records.get(receipt.key)
            named = record is None or set(record.parts) == {part.path for part in receipt.parts}
            if named and receipt.key not in self.receipts:
                self.receipts[receipt.key] = receipt
            else:
                self.duplicates.append(receipt)
        self.receipts |= vouched(self.manifest, [job for key, job in records.items() if key not in self.receipts])
        # Where the manifest names no part of a job any more, the file counts after all.
        self.duplicates = [one for one in self.duplicates if self.receipts.setdefault(one.key, one) is not one]


def read_state(store: Store, manifest: Manifest) -> RunState:
    """The state of a run: all its receipts are read."""
    return RunState(manifest).refresh(store)


def keys_of(store: Store, manifest: Manifest) -> list[JobKey]:
    """The jobs of a run that are done, by one listing: no receipt is read that the manifest knows already."""
    known = {receipt_path(manifest.run_id, job.key): job.key for job in manifest.jobs}
    unknown = [path for path in list_receipts(store, manifest.run_id) if path not in known]
    return list(dict.fromkeys([*known.values(), *(receipt.key for receipt in load_receipts(store, unknown)[0])]))


def vouched(manifest: Manifest, jobs: Iterable[JobRecord] | None = None) -> dict[JobKey, Receipt]:
    """Receipts as the manifest alone would write them; `jobs`: of these jobs alone."""
    named = {part.path: part for part in manifest.parts}
    found = {}
    for job in manifest.jobs if jobs is None else jobs:
        now = (named.get(path) or named.get(manifest.replaced.get(path, "")) for path in job.parts)
        parts = tuple(dict.fromkeys(part for part in now if part))
        if parts or not job.parts:
            found[job.key] = Receipt(job.key, manifest.run_id, parts, 0.0, job.counts, job.cell)
    return found


def parts_by_receipt(manifest: Manifest, receipts: Mapping[JobKey, Receipt]) -> dict[JobKey, tuple[Part, ...]]:
    """For each receipt the parts that hold its rows now: as it names them, or as compaction merged them."""
    named = {part.path: part for part in manifest.parts}

    def now_in(part: Part) -> Part:
        return named.get(manifest.replaced.get(part.path, part.path), part)

    return {key: tuple(now_in(part) for part in receipt.parts) for key, receipt in receipts.items()}


def records_of(receipts: Mapping[JobKey, Receipt], manifest: Manifest) -> tuple[JobRecord, ...]:
    """What a manifest keeps of receipts. Of a job whose receipt is gone it keeps what it knew."""
    known = {job.key: job for job in manifest.jobs}

    def record(key: JobKey, receipt: Receipt) -> JobRecord:
        if not receipt.path and key in known:
            return known[key]
        return JobRecord(key, receipt.cell, tuple(part.path for part in receipt.parts), receipt.counts)

    return tuple(record(key, receipt) for key, receipt in receipts.items())
