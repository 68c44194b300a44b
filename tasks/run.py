"""A run, as its driver sees it: validated, planned, and brought from receipts to a manifest."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from skewbench.stability.blocks import Block, select
from skewbench.storage.manifest import Manifest, delete_unnamed, now, parts_by_receipt, read_manifest, write_manifest
from skewbench.storage.parts import Part, read_receipts
from skewbench.storage.store import Store, open_store
from skewbench.tasks.cells import cell_entry
from skewbench.tasks.experiment import Experiment, WorkerSpec
from skewbench.tasks.generate import Setting
from skewbench.tasks.identity import run_id, settings_that_decide, source_digest, versions
from skewbench.tasks.models import ModelSource, blocks_of, image_size, resolve_model
from skewbench.tasks.plan import Shard, plan_shards
from skewbench.tasks.pool import Outcome
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.reference import check_reference
from skewbench.tasks.scoring import check_metrics, drop_superseded, jobs_left
from skewbench.tasks.worker import GenerateJob, Needs, ScoreJob
from skewbench.vocabulary.errors import InputError

_DERIVED = {"analysis", "regressions"}
"""Tables that no receipt vouches for: their parts are written by the driver, and stay until newer ones replace them."""


@dataclass(frozen=True)
class Run:
    """An experiment that was found to be sound, with everything that follows from it. Nothing is written yet."""

    experiment: Experiment
    store: Store
    source: ModelSource
    setting: Setting
    shards: list[Shard]

    @property
    def id(self) -> str:
        """The run's id."""
        return self.setting.run_id

    @property
    def needs(self) -> Needs:
        """What a worker of this run needs."""
        experiment = self.experiment
        return Needs(self.store.lake, self.setting, self.source, experiment.generation.threads, experiment.workers.gpus)


def prepare(experiment: Experiment, lake: str, download: bool = False) -> Run:
    """Check an experiment against prompts, model, scorers and lake, and plan it. Raises `InputError`."""
    prompts = load_prompts(experiment.prompts)
    check_metrics(experiment.metrics, experiment.required)
    source = resolve_model(experiment.model, download)
    check_blocks(experiment, blocks_of(source))
    store = open_store(lake)
    store.check_writable()
    check_reference(store, experiment.reference, experiment.name)  # now, not when all is drawn
    identity = run_id(experiment, prompts, source.revision)
    size = image_size(source, experiment.generation.width, experiment.generation.height)
    begun = read_manifest(store, identity)
    # a run that was begun keeps the shards it was begun with, whatever the experiment says of them now
    workers = WorkerSpec(**begun.experiment["workers"]) if begun else experiment.workers
    setting = Setting(
        identity, experiment.model, source.revision, experiment.generation, experiment.measure, size, workers.batch
    )
    return Run(experiment, store, source, setting, plan_shards(experiment, prompts, identity, size, workers.shard))


def begin(run: Run) -> Manifest:
    """The run's manifest; a new one, with status `running`, where there is none.

    To the metrics of one that was begun come those that the experiment has now; they are written at commit.
    """
    begun = read_manifest(run.store, run.id)
    if begun:
        metrics = list(dict.fromkeys((*begun.experiment["metrics"], *run.experiment.metrics)))
        return replace(begun, experiment={**begun.experiment, "metrics": metrics})
    experiment = run.experiment
    decides: dict[str, Any] = {
        **settings_that_decide(experiment),
        "revision": run.setting.revision,
        "source": source_digest(*(type(cell.knob) for cell in experiment.cells)),
        "versions": versions(),
    }
    return write_manifest(
        run.store,
        Manifest(
            run_id=run.id,
            name=experiment.name,
            status="running",
            created=now(),
            experiment=experiment.model_dump(mode="json"),
            identity=decides,
            cells=[cell_entry(cell, run.setting.generation, run.setting.size) for cell in experiment.cells],
            baseline=experiment.baseline,
            shards=len(run.shards),
            samples=sum(len(shard.samples) for shard in run.shards),
        ),
    )


def generation_left(run: Run) -> list[GenerateJob]:
    """Shards without a receipt."""
    done = read_receipts(run.store, run.id)
    jobs = [GenerateJob(shard) for shard in run.shards]
    return [job for job in jobs if job.key not in done]


def scoring_left(run: Run) -> list[ScoreJob]:
    """Committed shards that some scorer has not scored yet."""
    cells = {shard.id: shard.cell.name for shard in run.shards}
    return jobs_left(run.store, begin(run), run.experiment.metrics, cells, run.experiment.reference)


def commit(run: Run, manifest: Manifest, outcomes: Iterable[Outcome]) -> Manifest:
    """Bring the manifest up to what receipts say, and delete parts that it does not name.

    `outcomes`: those of this start, of which the failed ones are named. The status is `incomplete` while a shard is
    without a receipt.
    """
    receipts = read_receipts(run.store, run.id)
    complete = all(GenerateJob(shard).key in receipts for shard in run.shards)
    return commit_receipts(run.store, manifest, outcomes, "committed" if complete else "incomplete")


def commit_receipts(
    store: Store, manifest: Manifest, outcomes: Iterable[Outcome], status: str, derived: Iterable[Part] = ()
) -> Manifest:
    """Write a manifest that names the parts of all receipts, and delete the parts that it does not name.

    `derived`: new parts of `analysis` or `regressions`, in place of the table's older ones.
    """
    receipts = drop_superseded(store, read_receipts(store, manifest.run_id))
    failed = [{"job": o.job.key, "error": o.error or ""} for o in outcomes if o.receipt is None]
    # shards that an earlier start set aside, and this one, which only scored, did not try
    tried = {*receipts, *(fault["job"] for fault in failed)}
    failed += [f for f in manifest.failed_jobs if f["job"].startswith("generation-") and f["job"] not in tried]
    derived = list(derived)
    kept = [part for part in manifest.parts if part.table in _DERIVED - {new.table for new in derived}]
    held = dict.fromkeys(part for parts in parts_by_receipt(manifest, receipts).values() for part in parts)
    parts = (*held, *kept, *derived)
    written = write_manifest(store, replace(manifest, status=status, parts=parts, failed_jobs=failed))
    delete_unnamed(store, written)
    return written


def caught_up(run: Run) -> Manifest:
    """The run's manifest; brought up to the receipts where all is generated and no start lived to commit it."""
    manifest = begin(run)
    return manifest if manifest.status == "committed" or generation_left(run) else commit(run, manifest, [])


def missing_metrics(lake: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    """Metrics that have no value in any row, with the reason."""
    rows = lake.execute(
        """SELECT metric, any_value(reason) FROM (SELECT metric, value, reason FROM scores UNION ALL
           SELECT metric, value, reason FROM group_scores) GROUP BY metric HAVING count(value) = 0 ORDER BY metric"""
    ).fetchall()
    return [{"metric": metric, "reason": reason} for metric, reason in rows]


def is_finished(run: Run) -> bool:
    """Whether there is nothing left to do: everything generated, scored and analysed."""
    manifest = read_manifest(run.store, run.id)
    if manifest is None or manifest.status != "committed" or generation_left(run) or scoring_left(run):
        return False
    return any(part.table == "analysis" for part in manifest.parts)


def check_blocks(experiment: Experiment, blocks: list[Block]) -> None:
    """Raises `InputError` for a knob whose selection of blocks matches none of the model's."""
    for cell in experiment.cells:
        selection = getattr(cell.knob, "blocks", "all")
        try:
            select(blocks, selection)
        except ValueError as error:
            raise InputError(f"cells.{cell.name}.blocks {selection!r}: {error}") from None
