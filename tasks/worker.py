"""The worker of a Ray actor, with models that are loaded once. Independent of Ray.

A job has two halves, so that a device does not wait for the disk: while one is written the next is computed.
"""

import logging
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import torch

from skewbench.eval.scorers import Scorers, SetScorer, declaration
from skewbench.storage.keys import JobKey
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.receipts import Receipt, write_receipt
from skewbench.storage.records import Part
from skewbench.storage.store import Store, open_store
from skewbench.tasks.cell_scores import CellScores
from skewbench.tasks.collection import collection_paused
from skewbench.tasks.freed_memory import keep_freed_memory
from skewbench.tasks.identity import build
from skewbench.tasks.jobs import GenerateJob, Job, Needs, ScoreJob
from skewbench.tasks.models import check_source, load_pipeline
from skewbench.tasks.score import score_shard
from skewbench.tasks.setting import Setting
from skewbench.tasks.shared_steps import Trajectories
from skewbench.vocabulary.errors import RunError

if TYPE_CHECKING:  # diffusers takes seconds to import, and scoring does not need it
    from skewbench.tasks.generate import ShardRows

REASONS, LONGEST_REASON = 5, 300
"""Reasons that a receipt names, and characters of each."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Computed:
    """The result of a job before it is written."""

    run_id: str
    rows: "ShardRows | dict[str, pa.Table]"
    seconds: float
    key: JobKey
    """Of its receipt: the job's, unless this machine lacks what the job needs."""


class Worker:
    """Runs jobs of one run against one lake. Returns receipts: no image or tensor passes through the driver."""

    def __init__(self, needs: Needs) -> None:
        torch.set_num_threads(needs.threads)
        self._build = needs.build
        self._lake, self._setting, self._source = needs.lake, needs.setting, needs.source
        self._device = "cuda" if needs.gpus else "cpu"
        if not needs.gpus:
            keep_freed_memory()
        self._cells: dict[str, CellScores] = {}
        self._held: dict[JobKey, _Computed] = {}
        self._batch = sys.maxsize
        self._trajectories = Trajectories(self._setting.sharing, self._setting.generation) if self._setting else None
        logger.info("started, %s, %d threads", self._device, needs.threads)

    def ready(self) -> None:
        """Return once the worker runs on its node. Raises `LakeError` if it has no credentials there,
        and `RunError` where its node would make other numbers than the run's id says: by its code, or by its model.
        """
        here = build()
        other = [
            f"{what} is {here.get(what, 'missing')}, the driver's {expected}"
            for what, expected in self._build.items()
            if here.get(what) != expected
        ]
        if other:
            raise RunError(f"{socket.gethostname()} has a different skewbench than the driver: {', '.join(other)}")
        if self._source:
            check_source(self._source)
        _ = self._store

    def run(self, job: Job) -> Receipt:
        """Compute a job and write its result.

        Args:
            job: The job.
        """
        self.compute(job)
        return self.write(job)

    def compute(self, job: Job) -> None:
        """Generate or score, and keep the result until another thread writes it, during the next job.

        Args:
            job: The job.
        """
        try:
            self._held[job.key] = self._do(job)
        except Exception:
            logger.warning("%s of %s failed", job.key, job.cell, exc_info=True)
            raise

    def write(self, job: Job) -> Receipt:
        """Write the result of a job: its parts, then its receipt.

        Args:
            job: A job that was computed.
        """
        began, computed = time.perf_counter(), self._held.pop(job.key)
        try:
            tables, counts = _tables(computed.rows)
            parts = self._write(computed.run_id, computed.key.digest, tables)
            seconds = computed.seconds + time.perf_counter() - began
            reasons = _reasons(computed.rows)
            made = Receipt(computed.key, computed.run_id, parts, seconds, counts, job.cell, reasons)
            receipt = write_receipt(self._store, made)
        except Exception:
            logger.warning("%s of %s is not written", job.key, job.cell, exc_info=True)
            raise
        counted = ", ".join(f"{count} {what}" for what, count in receipt.counts.items())
        logger.info("%s of %s: %s, %.1f s", job.key, job.cell, counted, receipt.seconds)
        return receipt

    def _do(self, job: Job) -> _Computed:
        began = time.perf_counter()
        if isinstance(job, ScoreJob):
            key, scores = self._score(job)
            return _Computed(job.run_id, scores, time.perf_counter() - began, key)
        if self._setting is None:
            raise ValueError("a worker without a setting can only score")
        rows = self._generate(self._setting, job)
        return _Computed(self._setting.run_id, rows, time.perf_counter() - began, job.key)

    def _generate(self, setting: Setting, job: GenerateJob) -> "ShardRows":
        """Generate a shard. If memory forced a smaller batch, the next shards use it too: a worker has one device."""
        pipeline = self._pipeline  # imports diffusers, without collections of garbage
        from skewbench.tasks.generate import generate_shard

        batch = min(self._batch, setting.batch)
        given_up, shared = dict(job.given_up), self._trajectories
        rows = generate_shard(pipeline, setting, job.shard, job.one_by_one, given_up, batch, shared)
        if not job.one_by_one:
            self._batch = min(batch, rows.batch)
        return rows

    @cached_property
    def _store(self) -> Store:
        return open_store(self._lake)

    @cached_property
    def _pipeline(self) -> Any:
        if self._source is None:
            raise ValueError("a worker without a model can only score")
        began = time.perf_counter()
        with collection_paused():
            pipeline = load_pipeline(self._source, self._device)
        logger.info("model %s loaded in %.1f s", self._source.folder, time.perf_counter() - began)
        return pipeline

    def _score(self, job: ScoreJob) -> tuple[JobKey, dict[str, pa.Table]]:
        """Score. If the scorer's environment cannot be prepared here, the values are NULL and the key says so."""
        declared, made = declaration(job.scorer), self._scorers.get(job.scorer)
        missing = job.missing or self._scorers.unprepared(job.scorer)
        key = replace(job.key, missing=bool(missing))
        if not missing and declared.package != key.package:
            raise RunError(
                f"{socket.gethostname()} has {declared.package} in the environment of {job.scorer}, and the driver has "
                f"{key.package}"
            )
        if isinstance(made, SetScorer):
            cells = self._cells.setdefault(job.scorer, CellScores(self._store, declared, made))
            tables = cells.table(job.cell, (*job.samples, *job.files), job.reference, missing)
        else:
            tables = score_shard(self._store, declared, made, key.shard, job.samples, job.files, missing)
        return key, {name: _with_package(rows, key.package) for name, rows in tables.items()}

    @cached_property
    def _scorers(self) -> Scorers:
        return Scorers(self._device)

    def _write(self, run_id: str, job: str, tables: dict[str, pa.Table]) -> tuple[Part, ...]:
        attempt = new_attempt()
        return tuple(write_part(self._store, name, run_id, job, attempt, rows) for name, rows in tables.items())


def _with_package(rows: pa.Table, package: str) -> pa.Table:
    """Fill the column `package` of scores, if the scorer has an environment."""
    if not package:
        return rows
    place = rows.schema.get_field_index("package")
    return rows.set_column(place, rows.schema.field(place), pa.array([package] * len(rows), pa.string()))


def _reasons(rows: "ShardRows | dict[str, pa.Table]") -> dict[str, int]:
    """Count the commonest reasons why samples have no usable image."""
    if isinstance(rows, dict):
        return {}
    reasons = (" ".join(str(row["reason"]).split()) for row in rows.samples if row["status"] != "ok")
    return dict(Counter(reason[:LONGEST_REASON] for reason in reasons).most_common(REASONS))


def _tables(rows: "ShardRows | dict[str, pa.Table]") -> tuple[dict[str, pa.Table], dict[str, int]]:
    """Rows by table, and what a receipt counts: a generated shard's samples by status, scores by table."""
    if isinstance(rows, dict):
        return rows, {name: table.num_rows for name, table in rows.items()}
    return rows.tables(), dict(Counter(row["status"] for row in rows.samples))
